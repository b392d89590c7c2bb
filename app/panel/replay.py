"""Ask this store what was recorded of a panel, and tell where the answers differ in shape."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import calls
from app.legacy.dispatcher import OPERATOR
from app.panel.comparison import Difference, differences
from app.panel.recording import ANSWER_BYTES, FILES, SUFFIX
from app.panel.shapes import skeleton
from models.promotions.coupons import Coupon
from models.store.base import database
from models.store.errors import Invalid

if TYPE_CHECKING:
    from flask import Flask

FILE_BYTES = 4 * ANSWER_BYTES
"""The largest file that is read: a recording is written with blanks and whole letters."""
DETAILS = "getPromoDetailsByCode"


@dataclass(frozen=True)
class Replayed:
    """Hold what became of one recorded answer; `differences` is None for a call that is not ours.

    `problem` says why it could not be asked.
    """

    file: str
    call: str
    differences: list[Difference] | None = None
    problem: str = ""


def replayed(folder: Path, app: Flask) -> Iterator[Replayed]:
    """Ask for each answer of a recording, in the order of their files. Raises Invalid."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    except OSError as problem:
        raise Invalid(f"{folder} cannot be read: {problem.strerror}") from None
    if not files:
        raise Invalid(f"There is no recording in {folder}: make one with `panel record`")
    if len(files) > FILES:
        raise Invalid(f"{folder} holds more than {FILES} files: it is no recording")
    for file in files:
        yield _replayed(file, app)


def _replayed(file: Path, app: Flask) -> Replayed:
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_BYTES + 1)
        recorded: Any = json.loads(text) if len(text) <= FILE_BYTES else None
        call, arguments, theirs = (recorded[name] for name in ("call", "arguments", "answer"))
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return Replayed(file.name, "", problem="it is no recorded answer")
    if not (isinstance(call, str) and isinstance(arguments, dict) and isinstance(theirs, dict)):
        return Replayed(file.name, "", problem="it is no recorded answer")
    found = calls.registry().get(call)
    if found is None or found.writes:
        return Replayed(file.name, call[:64])
    ours = _asked(app, call, _own(call, arguments, theirs))
    found_differences = differences(skeleton(call, theirs), skeleton(call, ours))
    return Replayed(file.name, call, found_differences)


def _own(call: str, arguments: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments that mean here what was meant: a code was replaced, its id was not."""
    coupon = theirs.get("coupon")
    if call != DETAILS or not isinstance(coupon, dict) or not str(coupon.get("id")).isdecimal():
        return dict(arguments)
    with database.connection_context():
        row = Coupon.get_or_none(Coupon.id == int(coupon["id"]))
    return dict(arguments) | ({} if row is None else {"code": row.code})


def _asked(app: Flask, call: str, arguments: Mapping[str, Any]) -> Any:
    """Return our answer, with the operator's rights."""
    answer = app.test_client().post(
        "/api.php", json={**arguments, "call": call}, environ_overrides={OPERATOR: True}
    )
    with answer:
        return json.loads(answer.get_data())
