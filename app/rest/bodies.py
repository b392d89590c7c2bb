"""Bodies and queries of requests as plain values, and CSV bodies of answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl

from flask import current_app, request

from app import request_body
from app.rest.envelope import KEYS, Failure

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet run a cell."""
PIECE_ROWS = 2000


def read() -> dict[str, Any]:
    """Return the JSON object of the request's body, {} without one. Raises Failure."""
    text = request_body.read(current_app.config["SETTINGS"].body_limit_bytes)
    media_type = request.mimetype
    if media_type and media_type != "application/json" and not media_type.endswith("+json"):
        raise Failure(415, "Unsupported Media Type", KEYS[415])
    if not text.strip():
        return {}
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except Failure:
        raise
    except (ValueError, RecursionError):
        raise Failure.invalid({"body": ["Not JSON."]}) from None
    if not isinstance(value, dict):
        raise Failure.invalid({"body": ["Not a JSON object."]})
    return value


def query() -> dict[str, str]:
    """Return the arguments of the query. Raises Failure for one that is given twice."""
    given: dict[str, str] = {}
    pairs = parse_qsl(request.query_string.decode("latin-1"), keep_blank_values=True)
    for name, value in pairs:
        if name in given:
            raise Failure.invalid({name: ["Is given twice."]})
        given[name] = value
    return given


def csv_pieces(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield rows as CSV text; a cell that a spreadsheet would run begins with an apostrophe."""
    held = io.StringIO()
    writer = csv.writer(held)
    for at, row in enumerate(rows, 1):
        writer.writerow([_cell(value) for value in row])
        if at % PIECE_ROWS == 0:
            yield held.getvalue().encode()
            held.seek(0)
            held.truncate()
    yield held.getvalue().encode()


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that has a name twice: which of the two was meant?"""
    value: dict[str, Any] = {}
    for name, member in pairs:
        if name in value:
            raise Failure.invalid({_plain(name): ["Is given twice."]})
        value[name] = member
    return value


def _constant(name: str) -> Any:
    raise ValueError(name)  # NaN and the infinities are no JSON


def _plain(name: str) -> str:
    return name.encode(errors="replace").decode()
