"""Strict parsing of JSON bodies and queries: no name twice, no NaN, JSON only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn

from flask import Request, current_app, g, request
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field
from webargs.flaskparser import FlaskParser

from app import request_body
from app.rest.envelope import JSON_TYPE, KEYS, Failure
from calls import php
from calls.php.arguments import from_query
from calls.wire import near_misses
from models.campaigns.campaign_making import GENERATED_MOST

MEMBERS_MOST = GENERATED_MOST + php.MAX_ARGUMENTS
"""How many members a body may have in all: a full list of codes, and what stands beside it."""
MESSAGES_MOST = 100
"""How many fields an error response tells about; it counts the others."""


class StrictParser(FlaskParser):
    """Load requests for flask-smorest; `g.json_object` and `g.query` are what was sent."""

    DEFAULT_UNKNOWN_BY_LOCATION = {}  # noqa: RUF012  # webargs' own name; schemas say it

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
        raise Failure.invalid(_limited(dict(_flat(messages))))


def read_query() -> None:
    """Set `g.query` to the arguments of the query. Raises Failure for a name given twice."""
    try:
        g.query = _unique(list(from_query(request.query_string)))
    except php.InvalidRequest as problem:
        raise _refused(problem) from None


def refuse_query(fields: Mapping[str, Field[Any]], is_ours: bool) -> None:
    """Refuse arguments of the query where a body is read, whose fields are known.

    Where the operation is not ours, only those that may be meant for the body. Raises Failure.
    """
    known = [str(field.data_key) for field in fields.values()]
    meant = {name: near_misses.near_miss(name, known) for name in g.query}
    errors = {
        near_misses.shown(name): [f"Is not read here: {field} belongs in the body."]
        if field
        else ["Is unknown."]
        for name, field in meant.items()
        if field or is_ours
    }
    if errors:
        raise Failure.invalid(_limited(errors))


def _json_object(req: Request) -> dict[str, Any]:
    body = request_body.read(current_app.config["SETTINGS"].body_limit_bytes)
    media_type = req.mimetype
    if media_type and media_type != JSON_TYPE and not media_type.endswith("+json"):
        raise Failure(415, "Unsupported Media Type", KEYS[415])
    try:
        text = body.decode("utf-8-sig")
        if not text.strip():
            return {}
        php.check_json(text, MEMBERS_MOST)
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except php.InvalidRequest as problem:
        raise _refused(problem) from None
    except ValueError:
        raise Failure.invalid({"body": ["Not JSON."]}) from None
    if not isinstance(value, dict):
        raise Failure.invalid({"body": ["Not a JSON object."]})
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a dict; refuse a name that is too long, or there twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if len(name) > php.MAX_NAME:
            raise php.InvalidRequest(php.NAME_TOO_LONG)
        if name in found:
            raise Failure.invalid({near_misses.shown(name): ["Is given twice."]})
        found[name] = value
    return found


def _refused(problem: php.InvalidRequest) -> Failure:
    (sentence,) = problem.args
    return Failure.invalid({"body": [f"{sentence.capitalize()}."]})


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and the infinities are no JSON


def _flat(messages: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            shown = near_misses.shown(str(name))
            yield from _flat(inner, f"{path}.{shown}" if path else shown)
    else:
        yield path, [str(message) for message in messages]


def _limited(errors: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the first errors; under "body" it is said how many more there are."""
    kept = dict(islice(errors.items(), MESSAGES_MOST))
    if len(errors) > len(kept):
        more = f"And {len(errors) - len(kept)} more."
        kept["body"] = [*kept.get("body", []), more]
    return kept
