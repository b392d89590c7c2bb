"""Pass a request to the panel as it came, once, and its answer back as it comes."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from itertools import chain
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, g, request

import calls
from app.panel import recording, routing
from app.panel.client import PIECE_BYTES, Panel, PanelResponse
from app.panel.incoming import Incoming, is_plain
from app.panel.problem import PanelProblem
from calls import Answer, Caller
from models.store.base import database

if TYPE_CHECKING:
    from app.usage_log import CallRecord

PASSED = ("Accept", "Accept-Encoding", "User-Agent")
METHODS = "getAPIMethods"
ALONE = "The panel does not answer: these are the calls that are answered here"


def panel() -> Panel:
    """Return the panel of this server."""
    found: Panel = current_app.config["PANEL"]
    return found


def forwarded(incoming: Incoming, **headers: str) -> Response:
    """Return the panel's answer to a request of a caller who is proven and admitted.

    Raises PanelProblem, and what `Incoming.to_send` raises. `headers` are as for `sent`.
    """
    take = recording.begun(g.record.name, incoming)
    response = respond(sent(incoming, **headers))
    if take is not None and response.status_code == HTTPStatus.OK:
        take.watch(response)
    return response


def respond(answer: PanelResponse) -> Response:
    """Return the response that passes an answer on: whole, or streamed where it is large."""
    record: CallRecord = g.record
    if answer.status >= 400:
        record.message = f"panel_status_{answer.status}"
    response = Response(status=answer.status)
    response.headers.clear()
    response.headers.update(answer.headers)
    response.call_on_close(answer.close)
    pieces, held, size = answer.stream(), [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > PIECE_BYTES:
            response.response = chain(held, pieces)
            if answer.length is not None:
                response.content_length = answer.length
            return response
    response.set_data(b"".join(held))  # until here one that breaks off is no answer yet
    return response


def sent(incoming: Incoming, **headers: str) -> PanelResponse:
    """Send the request, without our connection to the store, and return the panel's answer.

    `headers` are sent instead of the client's, their names with `_` for `-`.
    """
    database.close()  # a panel that hangs must not hold it
    body = incoming.to_send(current_app.config["SETTINGS"])
    passed = {name: request.headers.get(name, "\n") for name in PASSED}
    passed = {name: value for name, value in passed.items() if is_plain(value)}
    with suppress(ValueError):  # behind a unix socket there is none
        passed["X-Forwarded-For"] = ip_address(request.remote_addr or "").compressed
    if incoming.content_type:
        passed["Content-Type"] = incoming.content_type
    passed |= {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, bytes):
        has_body = body or request.method == "POST"
        return panel().send(request.method, incoming.query, passed, body if has_body else None)
    with body:
        passed["Content-Length"] = str(os.fstat(body.fileno()).st_size)
        return panel().send(request.method, incoming.query, passed, body)


def methods(incoming: Incoming, caller: Caller) -> Answer | Response:
    """Return the panel's list of calls with ours behind it, or what else the panel answers.

    While it is away the list is ours alone, with a note that says so.
    """
    ours = [
        name
        for name in calls.registry()
        if caller.may_call(name) and (name == METHODS or not routing.is_forwarded(name))
    ]
    try:
        response = respond(sent(incoming, Accept_Encoding="identity"))
    except PanelProblem:
        return Answer({"methods": ours}, info=(ALONE,))
    theirs = _methods_in(response)
    if theirs is None:
        return response
    known = {name.lower() for name in theirs}
    allowed = [name for name in theirs if may_call(caller, name)]
    return Answer({"methods": allowed + [name for name in ours if name.lower() not in known]})


def may_call(caller: Caller, name: str) -> bool:
    """Tell whether a caller may use a call; calls of the panel are compared without case."""
    allowed = None if caller.access is None else caller.access.calls
    return allowed is None or name.lower() in {each.lower() for each in allowed}


def _methods_in(response: Response) -> list[str] | None:
    """Return the calls that the panel lists, None where it lists none."""
    if response.is_streamed:
        return None
    try:
        value: Any = json.loads(response.get_data())
        found = value["methods"] if value["success"] is True else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if isinstance(found, dict):
        found = [*found.values()]
    is_list = isinstance(found, list) and all(isinstance(name, str) for name in found)
    return found if is_list else None
