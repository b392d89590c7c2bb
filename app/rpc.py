"""The legacy endpoint, admin/api.php, and the only maker of its envelope.

It is a plain WSGI application in front of Flask: what Flask does for a request costs more than most
calls do, and none of it is needed for one path with two methods.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response

import calls
from app import auth, bodies, faults, negotiation, replay, sending
from app.config import Settings
from app.limits import Limits, TooMany
from app.sending import Reply, Streamed
from app.usage_log import Note, UsageLog
from calls import Answer, Caller, WrongParameters, packing, php
from calls.fragments import Fragments
from models import clock, expiry
from models.base import database
from models.errors import AWAY, PromoError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

JSON_TYPE = "application/json; charset=UTF-8"
OPERATOR = "promobridge.operator"
"""A WSGI variable set by the command line; no header of a client can set it."""
TOO_MANY = "too_many_requests"
"""What the usage log says of a request over a limit."""
METHODS = ("GET", "HEAD", "OPTIONS", "POST")
SLASHES = re.compile("//+")
"""Base URLs end in a slash and paths begin with one; servers of PHP pages take both for one."""
log = logging.getLogger(__name__)


class Refusal(Exception):
    """Carry the messages of a call that answers `success: false`; the usage log gets `noted`."""

    def __init__(self, name: str, *messages: str, noted: str = "") -> None:
        super().__init__(*messages)
        self.name = name
        self.messages = list(messages)
        self.noted = noted or messages[0]


class Endpoint:
    """Answer legacy calls under the admin folder and at the root; pass on all other requests."""

    def __init__(
        self,
        behind: WSGIApplication,
        settings: Settings,
        fragments: Fragments,
        usage_log: UsageLog,
        limits: Limits,
    ) -> None:
        self.behind = behind
        self.settings = settings
        self.fragments = fragments
        self.usage_log = usage_log
        self.limits = limits
        self.paths = frozenset({f"{settings.admin_path}/api.php", "/api.php"})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if path not in self.paths and SLASHES.sub("/", path) not in self.paths:
            return self.behind(environ, start_response)
        try:
            method = environ["REQUEST_METHOD"]
            if method == "GET" or method == "POST":
                return self._called(environ, start_response)
            problem = _not_called(method)
        except HTTPException as refused:
            bodies.drain(refused, environ)
            problem = http_failure(refused)
        except AWAY as away:
            problem = store_away(away)
        except Exception as fault:  # noqa: BLE001  # nothing but the envelope leaves this endpoint
            problem = broken(fault)
        return problem(environ, start_response)

    def _called(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Run one call on a connection to the store that lasts until the answer is sent."""
        streamed = False
        try:
            with Note(self.usage_log, environ.get("REMOTE_ADDR", "")) as note:
                database.connect(reuse_if_open=True)
                try:
                    reply = self._reply(environ, note)
                except Refusal as refusal:
                    note.message = refusal.noted
                    error = envelope(False, {}, refusal.name, error=refusal.messages)
                    reply = Reply([php.encode(error)])
                except TooMany as problem:
                    note.message = TOO_MANY
                    return too_many(problem, note.call)(environ, start_response)
            headers = [("Content-Type", JSON_TYPE), *reply.headers]
            if reply.rest is None:
                headers.append(("Content-Length", str(sum(map(len, reply.pieces)))))
                start_response(reply.status, headers)
                return reply.pieces
            start_response(reply.status, headers)
            streamed = True
            return Streamed(reply.rest)
        finally:
            if not streamed:
                database.rest()

    def _reply(self, environ: WSGIEnvironment, note: Note) -> Reply:
        name = ""
        try:
            arguments = php.arguments(
                environ.get("QUERY_STRING", "").encode("latin-1"),
                environ.get("CONTENT_TYPE", ""),
                bodies.whole(environ, self.settings.body_limit_bytes),
            )
            asked_call = arguments.get("call")
            name = asked_call if isinstance(asked_call, str) else ""
            note.asks(name, arguments.get("api_id"))
            caller = self._caller(arguments, environ)
            note.proven = caller.access is not None
            found = _found(name, caller)
            expiry.expire_due(caller.today)
            if not replay.is_asked(found, arguments):
                return _replied(name, calls.run(found, arguments, caller), environ)
            made = replay.once(found, arguments, caller, partial(_written, name))
            note.message = made.refusal
            return Reply([made.body])
        except (php.Refused, ClientDisconnected):  # the latter: a body that ends too early
            raise Refusal(name, "Wrong parameter") from None
        except auth.Denied as denied:
            raise Refusal(name, str(denied)) from None
        except WrongParameters as wrong:
            raise Refusal(name, *wrong.problems) from None
        except PromoError as problem:
            raise Refusal(name, problem.sentence, noted=problem.key) from None

    def _caller(self, arguments: Mapping[str | int, Any], environ: WSGIEnvironment) -> Caller:
        if OPERATOR in environ:
            return Caller(None, self.settings, self.fragments)
        address = environ.get("REMOTE_ADDR", "")
        access = auth.legacy_access(arguments, address, self.limits)
        guesses = self.limits.guesses(f"access:{access.id}", address)
        return Caller(access, self.settings, self.fragments, guesses)


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
    body = php.encode(envelope(False, {}, name, error=list(messages)))
    return Response(body, status=status, content_type=JSON_TYPE)


def http_failure(problem: HTTPException) -> Response:
    """Return the envelope for an error of HTTP itself: 404, 405, 413."""
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


def _not_called(method: str) -> Response:
    """Return the answer to a method that runs no call: a look must not write."""
    if method == "HEAD":
        return Response(content_type=JSON_TYPE)
    if method == "OPTIONS":
        return Response(headers={"Allow": ", ".join(METHODS)})
    raise MethodNotAllowed(METHODS)


def _replied(name: str, answer: Answer, environ: WSGIEnvironment) -> Reply:
    """Return the reply for what a call answers: of a list as little as the client can do with."""
    begun = partial(sending.begun, takes_pieces=sending.TAKES_PIECES in environ)
    if answer.sorter is None:  # one packet or two
        return begun(php.parts(_success(name, answer)))
    headers = [("Vary", "Accept-Encoding")]
    if answer.tag is not None:
        headers.append(("ETag", f'W/"{answer.tag}"'))  # weak: `server_time` is another each time
        if negotiation.has_already(environ, answer.tag):
            return Reply([b""], None, tuple(headers), "304 Not Modified")
    value = _success(name, answer)
    if not negotiation.takes_gzip(environ):
        return begun(php.parts(value), *headers)
    headers.append(("Content-Encoding", "gzip"))
    return begun(packing.gzipped(php.parts(value)), *headers)


def _written(name: str, outcome: Answer | PromoError) -> Iterable[bytes]:
    """Return the body for what a call answers, or for why the store refused it."""
    if isinstance(outcome, PromoError):
        return [php.encode(envelope(False, {}, name, error=[outcome.sentence]))]
    return php.parts(_success(name, outcome))


def _success(name: str, answer: Answer) -> dict[str, Any]:
    info = list(answer.info) or None
    return envelope(True, answer.payload, name, sorter=answer.sorter, info=info)


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
