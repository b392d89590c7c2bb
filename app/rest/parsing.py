"""Strict parsing of JSON bodies and queries: no name twice, no NaN, JSON only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from flask import Request, current_app, g, request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from app import request_body
from app.rest.envelope import JSON_TYPE, KEYS, Failure


class StrictParser(FlaskParser):
    """Load requests for flask-smorest; `g.json_object` and `g.query` are what was sent."""

    def load_json(self, req: Request, schema: Schema) -> dict[str, Any]:
        """Return the JSON object of the body, {} without one. Raises Failure."""
        g.json_object = _json_object(req)
        return g.json_object

    def load_querystring(self, req: Request, schema: Schema) -> dict[str, str]:
        """Return the arguments that `read_query` has read."""
        return g.query

    def handle_error(
        self,
        error: ValidationError,
        req: Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Raise Failure with the messages by field, as in {"codes.1": ["…"]}."""
        by_location: dict[str, Any] = error.normalized_messages()
        (messages,) = by_location.values()
        raise Failure.invalid(dict(_flat(messages)))


def read_query() -> None:
    """Set `g.query` to the arguments of the query. Raises Failure for a name given twice."""
    pairs = parse_qsl(request.query_string.decode("latin-1"), keep_blank_values=True)
    g.query = _unique(pairs)


def _json_object(req: Request) -> dict[str, Any]:
    text = request_body.read(current_app.config["SETTINGS"].body_limit_bytes)
    media_type = req.mimetype
    if media_type and media_type != JSON_TYPE and not media_type.endswith("+json"):
        raise Failure(415, "Unsupported Media Type", KEYS[415])
    if not text.strip():
        return {}
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Failure.invalid({"body": ["Not JSON."]}) from None
    if not isinstance(value, dict):
        raise Failure.invalid({"body": ["Not a JSON object."]})
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a dict; refuse a name that is there twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            shown = name.encode(errors="replace").decode()  # JSON may escape lone surrogates
            raise Failure.invalid({shown: ["Is given twice."]})
        found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and the infinities are no JSON


def _flat(messages: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, [str(message) for message in messages]
