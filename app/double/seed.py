"""What a double begins with: a seed is what was saved of a panel, or calls and requests to make.

    {"calls": [{"call": "addPromoCode", "code": "X", "coupon_type": "cart", "value": 10}],
     "requests": [{"path": "/v1/campaigns", "json": {"slug": "summer", "name": "Summer"}}]}

Calls are made with the operator's rights, requests with the secret of the double, in this order.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import Flask
from marshmallow import INCLUDE, Schema, ValidationError, fields, validate, validates_schema

from app.cli import demo_data
from app.config import BadSetting, Settings
from app.exchange import saved_answers
from app.legacy.dispatcher import OPERATOR
from models.access import accesses, secrets
from models.access.accesses import Pair
from models.promotions.campaign_counts import Owner
from models.store import visibility
from models.store.base import database
from models.store.errors import Conflict, Invalid

FILE_BYTES = 67_108_864
PAIR = Pair("double-api-id", "double-api-key")
SECRET = "sk_test_00000000000000000000000000000000"  # noqa: S105  # documented, opens a double alone
_few = validate.Length(max=10_000)


class CallFields(Schema):
    """Read one call of a seed; its arguments stand beside its name."""

    class Meta:
        unknown = INCLUDE

    call = fields.String(required=True)


class RequestFields(Schema):
    """Read one request of a seed."""

    method = fields.String(load_default="POST", validate=validate.OneOf(["POST", "PATCH"]))
    path = fields.String(required=True, validate=validate.Regexp("/v1/"))
    json = fields.Dict(load_default=dict)


class SeedFields(Schema):
    """Read a seed."""

    calls = fields.List(fields.Nested(CallFields), load_default=list, validate=_few)
    requests = fields.List(fields.Nested(RequestFields), load_default=list, validate=_few)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        """Require that it holds something."""
        if not (data["calls"] or data["requests"]):
            raise ValidationError("calls or requests are needed")


class Credentials(NamedTuple):
    """Hold what opens a double."""

    pair: Pair = PAIR
    secret: str = SECRET


def admit(credentials: Credentials) -> None:
    """Let the credentials in. Raises BadSetting for a pair that cannot be."""
    try:
        accesses.add("double", credentials.pair)
    except (Conflict, Invalid) as problem:
        raise BadSetting(problem.sentence) from None
    secrets.add(Owner(visibility.TEST), "double", credentials.secret)


def read(path: Path) -> dict[str, Any]:
    """Return the seed in a file. Raises BadSetting for what is none."""
    try:
        with path.open("rb") as opened:
            text = opened.read(FILE_BYTES + 1)
    except OSError as problem:
        raise BadSetting(f"{path} cannot be read: {problem.strerror}") from None
    try:
        held = json.loads(text) if len(text) <= FILE_BYTES else None
    except (ValueError, RecursionError):
        held = None
    return checked(held, str(path))


def checked(held: Any, name: str = "The body") -> dict[str, Any]:
    """Return a seed that was read as JSON. Raises BadSetting for what is none."""
    if isinstance(held, dict) and "success" in held:
        return held  # an answer of a panel
    try:
        return dict(SeedFields().load(held if isinstance(held, dict) else {}))
    except ValidationError as problem:
        raise BadSetting(
            f"{name} is no seed ({_reasons(problem.messages)}): it must be the saved answer of a"
            ' panel, or {"calls": [{"call": "addPromoCode", "code": "X"}], "requests": []}'
        ) from None


def sow(app: Flask, settings: Settings, seed: Mapping[str, Any], secret: str) -> None:
    """Store what a seed holds. Raises BadSetting for a call or request that is refused."""
    if "success" in seed:
        _store_answer(settings, seed)
        return
    client = app.test_client()
    for number, call in enumerate(seed["calls"], 1):
        # Closed each: a request has its connection until then.
        with client.post("/api.php", json=call, environ_overrides={OPERATOR: True}) as answer:
            said = json.loads(answer.get_data())
        if not said["success"]:
            reason = "; ".join(said.get("error", []))
            raise BadSetting(f"Call {number} of the seed ({call['call']}) was refused: {reason}")
    for number, each in enumerate(seed["requests"], 1):
        sent = {"method": each["method"], "json": each["json"], "headers": _head(secret)}
        with client.open(each["path"], **sent) as answer:
            if answer.status_code >= 400:
                reason = (answer.get_json(silent=True) or {}).get("message", answer.status)
                path = each["path"]
                raise BadSetting(f"Request {number} of the seed ({path}) was refused: {reason}")


def sow_sample(app: Flask, settings: Settings) -> None:
    """Store what a demo has: the documented batch, codes with uses, and a campaign."""
    sample = resources.files("app") / "sample" / "listPromoBatches.json"
    _store_answer(settings, json.loads(sample.read_bytes()))
    client = app.test_client()
    for name, arguments in demo_data.CALLS:
        form = arguments | {"call": name}
        client.post("/api.php", data=form, environ_overrides={OPERATOR: True}).close()
    with database.connection_context():
        demo_data.add_campaign(settings, Owner(visibility.TEST))


def _store_answer(settings: Settings, answer: Mapping[str, Any]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(answer, file)
        file.flush()
        try:
            with database.connection_context():
                saved_answers.store_files([file.name], ZoneInfo(settings.timezone))
        except Invalid as problem:
            reason = problem.sentence.replace(file.name, "the answer")
            raise BadSetting(f"The seed cannot be stored: {reason}") from None


def _head(secret: str) -> dict[str, str]:
    return {"X-API-Secret": secret}


def _reasons(messages: Any) -> str:
    """Return what is wrong with the first field that is."""
    path = []
    while isinstance(messages, dict) and messages:
        name, messages = next(iter(messages.items()))
        if name != "_schema":
            path.append(str(name))
    reason = messages[0] if isinstance(messages, list) and messages else "it is empty"
    return ": ".join((*[".".join(path)] * bool(path), str(reason).rstrip(".")))
