"""The dispatcher: read api_id, api_key and call, run the call of that name, answer in the envelope.

Every error is raised as an exception; the error handlers below answer it in the envelope.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, current_app, g, request
from werkzeug.exceptions import ClientDisconnected
from werkzeug.routing import BaseConverter

import calls
from app import access, idempotency, request_body
from app.legacy.failures import JSON_TYPE, failure, too_many
from app.limits import TooMany
from app.panel.problem import PanelProblem
from app.usage_log import TOO_MANY, CallRecord
from calls import Answer, Caller, WrongParameters, envelope, php
from calls.rendering import packing
from models.access.usage import CALL_LENGTH
from models.promotions import expiry
from models.store import audit
from models.store.base import database
from models.store.errors import PromoError

if TYPE_CHECKING:
    from app.panel.incoming import Incoming
    from app.panel.learning import Learner

OPERATOR = "promobridge.operator"
"""A WSGI variable set by the command line; no header of a client can set it."""
METHODS = ("GET", "HEAD", "OPTIONS", "POST")
RETRY_SECONDS = 5
"""When a call that the panel did not get may be tried again."""
WHOLE_BYTES = 16_777_216
"""Bodies up to this size are sent whole, larger ones as they are made."""

blueprint = Blueprint("legacy", __name__)


class Slashes(BaseConverter):
    """Match further slashes: servers of PHP pages take `/admin//api.php` for `/admin/api.php`."""

    regex = "/*"
    part_isolating = False


def rules(admin_path: str) -> Iterator[str]:
    """Yield the rules of the endpoint: as documented, then with doubled slashes."""
    for path in (f"{admin_path}/api.php", "/api.php"):
        yield path
        first, *parts = path.split("/")[1:]
        yield f"/<slashes:s0>{first}" + "".join(
            f"/<slashes:s{at}>{part}" for at, part in enumerate(parts, 1)
        )


def init_app(app: Flask, admin_path: str) -> None:
    """Answer the endpoint in the admin folder and at the root."""
    app.url_map.converters["slashes"] = Slashes
    app.register_blueprint(blueprint)
    for rule in rules(admin_path):
        app.add_url_rule(
            rule, "legacy.dispatch", dispatch, methods=METHODS, provide_automatic_options=False
        )


@blueprint.before_request
def begin() -> Response | None:
    """Open the call's record; HEAD and OPTIONS run nothing."""
    if request.method == "HEAD":
        return Response(content_type=JSON_TYPE)
    if request.method == "OPTIONS":
        return Response(headers={"Allow": ", ".join(METHODS)})
    g.record = CallRecord(request.remote_addr or "")
    return None


@blueprint.after_request
def end(response: Response) -> Response:
    """Log the call; the connection lasts until the answer is sent, as a large one is read then."""
    record: CallRecord | None = g.pop("record", None)
    if record is not None:
        current_app.config["USAGE_LOG"].put(record.entry())
        if record.refused is not None:
            current_app.config["USAGE_LOG"].put_try(record.refused)
        response.call_on_close(database.close)
    return response


def dispatch(**slashes: str) -> Response:
    """Run the call that the request names."""
    if current_app.config["PANEL"] is not None and OPERATOR not in request.environ:
        return _in_front_of_panel()
    arguments = php.arguments(
        request.query_string,
        request.headers.get("Content-Type", ""),
        request_body.read(current_app.config["SETTINGS"].body_limit_bytes) if _has_body() else b"",
    )
    name = _asked_for(arguments)
    return _answered(name, arguments, _caller(arguments))


def _in_front_of_panel() -> Response:
    """Answer a call here, or let the panel answer it."""
    from app.panel import incoming  # with urllib3 behind it, which few need

    asked = incoming.read(current_app.config["SETTINGS"])
    try:
        return _answered_or_forwarded(asked)
    except Exception:
        request_body.discard()  # of a large one only the beginning has been read
        raise


def _answered_or_forwarded(asked: Incoming) -> Response:
    from app.panel import answering, forward, invoice_facts, routing
    from app.panel.learning import Learner

    config = current_app.config
    name = _asked_for(asked.named)
    learner = Learner(config["PANEL"], config["LIMITS"], request.remote_addr or "")
    caller = _caller(asked.named, learner)
    if name and not forward.may_call(caller, name):
        raise access.Denied(access.NOT_ENABLED)
    if name.lower() == forward.METHODS.lower():
        found = forward.methods(asked, caller)
        return found if isinstance(found, Response) else _response(name, found)
    caller = invoice_facts.known(asked, name, caller)
    ours = partial(_answered, routing.plain(name), caller=caller)
    return answering.answered(asked, name, caller, lambda: ours(asked.arguments()))


def _asked_for(arguments: Mapping[str | int, Any]) -> str:
    """Return the name of the call, and note it; the store is needed from here on."""
    asked_call = arguments.get("call")
    name = asked_call if isinstance(asked_call, str) else ""
    if len(name) > CALL_LENGTH:
        raise access.Denied(access.NOT_SUPPORTED)
    record: CallRecord = g.record
    record.name = name
    record.note_request(name, arguments.get("api_id"), arguments.get("api_key"))
    database.connect(reuse_if_open=True)  # only now: the log says who called while it is away
    return name


def _answered(name: str, arguments: Mapping[str | int, Any], caller: Caller) -> Response:
    """Return the answer to a call of ours."""
    found = _found(name, caller)
    expiry.expire_due(caller.today)
    if not (found.writes and idempotency.ARGUMENT in arguments):
        return _response(name, calls.run(found, arguments, caller))
    kept = idempotency.legacy_once(found, arguments, caller, partial(_body, name))
    g.record.message = kept.refusal
    return Response(kept.body, content_type=JSON_TYPE)


@blueprint.errorhandler(WrongParameters)
@blueprint.errorhandler(access.Denied)
def refused(problem: Exception) -> Response:
    """Answer wrong arguments, a sentence for each, and a caller who may not."""
    return _refused(*problem.args)


@blueprint.errorhandler(php.InvalidRequest)
@blueprint.errorhandler(ClientDisconnected)
def unreadable(problem: Exception) -> Response:
    """Answer a request that holds too much, or whose body is broken or ends too early."""
    return _refused("Wrong parameter")


@blueprint.errorhandler(PromoError)
def refused_by_store(problem: PromoError) -> Response:
    """Answer with the reason why the store refused."""
    return _refused(problem.sentence, noted=problem.key)


@blueprint.errorhandler(PanelProblem)
def no_answer_of_panel(problem: PanelProblem) -> Response:
    """Answer what the panel did not; to try again is offered only if surely nothing was sent."""
    g.record.fail(problem)
    response = failure(g.record.name, problem.sentence, status=503)
    if not problem.sent:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


@blueprint.errorhandler(TooMany)
def over_limit(problem: TooMany) -> Response:
    """Answer a caller over its limits."""
    g.record.message = TOO_MANY
    return too_many(problem, g.record.call)


def _has_body() -> bool:
    return "CONTENT_LENGTH" in request.environ or "HTTP_TRANSFER_ENCODING" in request.environ


def _refused(*messages: str, noted: str = "") -> Response:
    """Return a refusal, which the usage log has by its first message or as `noted`."""
    g.record.message = noted or messages[0]
    return failure(g.record.name, *messages)


def _caller(arguments: Mapping[str | int, Any], learner: Learner | None = None) -> Caller:
    settings, fragments = current_app.config["SETTINGS"], current_app.config["FRAGMENTS"]
    record: CallRecord = g.record
    if OPERATOR in request.environ:
        record.proven, record.api_id = True, ""
        return Caller(None, settings, fragments, holds=_holds, note_refused=record.note_refused)
    address = request.remote_addr or ""
    limits = current_app.config["LIMITS"]
    found = access.proven(arguments, address, limits, learner.pair if learner else None)
    record.proven = True
    if learner is not None:
        found = learner.address(found)
    access.admit(found, address, limits)
    guard = limits.lookup_guard(f"access:{found.id}", address)
    audit.ACTOR.set(audit.Actor(audit.ACCESS, found.name or found.api_id, address))
    return Caller(found, settings, fragments, guard, _holds, note_refused=record.note_refused)


def _holds(tag: str) -> bool:
    """Tell whether If-None-Match names this tag."""
    return request.method == "GET" and request.if_none_match.contains_weak(tag)


def _found(name: str, caller: Caller) -> calls.Call:
    if not name:
        # guess: an answer to a request without `call` echoes it as "".
        raise WrongParameters("Wrong parameter")
    found = calls.registry().get(name)
    if found is None:
        raise access.Denied(access.NOT_SUPPORTED)
    if not caller.may_call(name):
        raise access.Denied(access.NOT_ENABLED)
    return found


def _response(name: str, answer: Answer) -> Response:
    """Return the response for an answer: plain, gzip or 304, as the client asks."""
    response = Response(content_type=JSON_TYPE)
    pieces = php.parts(_success(name, answer))
    if answer.sorter is not None:
        response.vary.add("Accept-Encoding")
        if answer.tag is not None:
            response.set_etag(answer.tag, weak=True)  # `server_time` is another each time
            if answer.unchanged:
                response.status_code = 304
                return response
        if request.accept_encodings.quality("gzip") > 0:
            response.content_encoding = "gzip"
            pieces = packing.gzipped(pieces)
    _fill(response, pieces)
    return response


def _fill(response: Response, pieces: Iterator[bytes]) -> None:
    """Set the body of a response: whole, or streamed where it is large."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > WHOLE_BYTES:
            # A generator, for its close() ends what it reads before the connection is released.
            response.response = (piece for piece in chain(held, pieces) if piece)
            return
    response.set_data(b"".join(held))


def _body(name: str, outcome: Answer | PromoError) -> Iterable[bytes]:
    """Return the body for what a call answers, or for why the store refused it."""
    if isinstance(outcome, PromoError):
        return [php.encode(envelope(False, {}, name, error=[outcome.sentence]))]
    return php.parts(_success(name, outcome))


def _success(name: str, answer: Answer) -> dict[str, Any]:
    info = list(answer.info) or None
    return envelope(True, answer.payload, name, sorter=answer.sorter, info=info)
