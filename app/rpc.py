"""The legacy endpoint, admin/api.php, and the only maker of its envelope."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

from flask import Blueprint, Request, Response, current_app, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

import calls
from app import auth, faults, replay
from app.limits import Limits, TooMany
from app.usage_log import Note
from calls import Answer, Caller, WrongParameters, php
from models import clock, expiry
from models.errors import PromoError

JSON_TYPE = "application/json; charset=UTF-8"
OPERATOR = "promobridge.operator"
"""A WSGI variable set by the command line; no header of a client can set it."""
WHOLE_BYTES = 1_048_576
"""Bodies up to this size are sent whole, larger ones as they are made."""
DRAINED_BYTES = 67_108_864
"""How much of a body that is too large is read away, so that its sender gets to the answer."""
log = logging.getLogger(__name__)


class Refusal(Exception):
    """Carry the messages of a call that answers `success: false`; the usage log gets `noted`."""

    def __init__(self, name: str, *messages: str, noted: str = "") -> None:
        super().__init__(*messages)
        self.name = name
        self.messages = list(messages)
        self.noted = noted or messages[0]


def blueprint(admin_path: str) -> Blueprint:
    """Return the routes of the endpoint under the admin folder and at the root."""
    face = Blueprint("rpc", __name__)
    for path in dict.fromkeys((f"{admin_path}/api.php", "/api.php")):
        face.add_url_rule(path, view_func=endpoint, methods=["GET", "POST"])
    return face


def endpoint() -> Response:
    """Answer one legacy call."""
    if request.method == "HEAD":  # a look must not write, so nothing is run
        return _response([b""])
    with Note(current_app.config["USAGE_LOG"], request.remote_addr or "") as note:
        try:
            return _response(_answer(request, note))
        except Refusal as refusal:
            note.message = refusal.noted
            return failure(refusal.name, *refusal.messages)
        except TooMany as problem:
            note.message = "too_many_requests"
            return too_many(problem, note.call)


def envelope(
    success: bool,
    payload: Mapping[str, Any],
    name: str,
    *,
    sorter: Mapping[str, Any] | None = None,
    info: list[str] | None = None,
    error: list[str] | None = None,
) -> dict[str, Any]:
    """Return the body of every answer, its keys in the vendor's order.

    {"success": true, …payload…, "call": "…", "sorter": {…}, "server_time": 1, "info": ["…"]}
    {"success": false, "call": "…", "server_time": 1, "error": ["…"]}
    """
    optional = {"sorter": sorter, "server_time": clock.now(), "info": info, "error": error}
    present = {key: value for key, value in optional.items() if value is not None}
    return {"success": success, **payload, "call": name, **present}


def failure(name: str, *messages: str, status: int = 200) -> Response:
    """Return an answer that says what went wrong; the HTTP status is 200 but for a few."""
    return _response(
        [php.encode(envelope(False, {}, name, error=list(messages)))],
        status=status,
    )


def http_failure(problem: HTTPException) -> Response:
    """Return the envelope for an error of HTTP itself: 404, 405, 413."""
    if isinstance(problem, RequestEntityTooLarge):
        drain()
    answer = failure("", problem.name, status=problem.code or 404)
    for header, value in problem.get_headers():
        if header == "Allow":
            answer.headers[header] = value
    return answer


def too_many(problem: TooMany, name: str = "") -> Response:
    """Return the envelope for a caller over its limits."""
    answer = failure(name, problem.sentence, status=429)
    answer.headers["Retry-After"] = str(problem.seconds)
    return answer


def store_away(problem: Exception) -> Response:
    """Return the envelope for a store that cannot be reached."""
    log.error("The store cannot be reached: %s", type(problem).__name__)
    return failure("", "The store cannot be reached, try again later", status=503)


def broken(problem: Exception) -> Response:
    """Return the envelope for a fault of ours; the log gets the place, not the values."""
    log.error("A request failed: %s", faults.place(problem))
    return failure("", "Internal error", status=503)


def _answer(asked: Request, note: Note) -> Iterable[bytes]:
    name = ""
    try:
        arguments = php.arguments(
            asked.environ.get("QUERY_STRING", "").encode("latin-1"),
            asked.environ.get("CONTENT_TYPE", ""),
            whole_body(asked),
        )
        asked_call = arguments.get("call")
        name = asked_call if isinstance(asked_call, str) else ""
        note.asks(name, arguments.get("api_id"))
        caller = _caller(arguments, asked)
        note.proven = caller.access is not None
        found = _found(name, caller)
        expiry.expire_due(caller.today)
        if not replay.is_asked(found, arguments):
            return _written(name, calls.run(found, arguments, caller))
        made = replay.once(found, arguments, caller, partial(_written, name))
        note.message = made.refusal
        return [made.body]
    except (php.Refused, ClientDisconnected):  # the latter: a body that ends too early
        raise Refusal(name, "Wrong parameter") from None
    except auth.Denied as denied:
        raise Refusal(name, str(denied)) from None
    except WrongParameters as wrong:
        raise Refusal(name, *wrong.problems) from None
    except PromoError as problem:
        raise Refusal(name, problem.sentence, noted=problem.key) from None


def _written(name: str, outcome: Answer | PromoError) -> Iterable[bytes]:
    """Return the body for what a call answers, or for why the store refused it."""
    if isinstance(outcome, PromoError):
        return [php.encode(envelope(False, {}, name, error=[outcome.sentence]))]
    info = list(outcome.info) or None
    return php.chunks(envelope(True, outcome.payload, name, sorter=outcome.sorter, info=info))


def _caller(arguments: Mapping[str | int, Any], asked: Request) -> Caller:
    shared = current_app.config["SETTINGS"], current_app.config["FRAGMENTS"]
    if OPERATOR in asked.environ:
        return Caller(None, *shared)
    limits: Limits = current_app.config["LIMITS"]
    address = asked.remote_addr or ""
    access = auth.legacy_access(arguments, address, limits)
    return Caller(access, *shared, limits.guesses(f"access:{access.id}", address))


def _found(name: str, caller: Caller) -> calls.Call:
    if not name:
        # guess: an answer to a request without `call` echoes it as "".
        raise WrongParameters("Wrong parameter")
    found = calls.registry().get(name)
    if found is None:
        raise auth.Denied(auth.NOT_SUPPORTED)
    if not caller.may_call(name):
        raise auth.Denied(auth.NOT_ENABLED)
    return found


def _response(pieces: Iterable[bytes], status: int = 200) -> Response:
    """Return the pieces as one body, or as a stream when they are large."""
    rest = iter(pieces)
    held = []
    size = 0
    for piece in rest:
        held.append(piece)
        size += len(piece)
        if size > WHOLE_BYTES:
            return Response(chain(held, rest), status=status, content_type=JSON_TYPE)
    return Response(b"".join(held), status=status, content_type=JSON_TYPE)


def whole_body(asked: Request) -> bytes:
    """Return the whole body. Raises RequestEntityTooLarge."""
    if "CONTENT_LENGTH" not in asked.environ and "HTTP_TRANSFER_ENCODING" not in asked.environ:
        return b""
    body = asked.get_data(cache=False)
    # Werkzeug cuts a body without a Content-Length at the limit and says nothing.
    if len(body) == asked.max_content_length and asked.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return body


def drain() -> None:
    """Read the rest of a refused body, up to a bound."""
    stream = request.environ["wsgi.input"]
    left = DRAINED_BYTES
    with suppress(OSError):  # the sender may be gone
        while left > 0 and (piece := stream.read(min(left, 65536))):
            left -= len(piece)
