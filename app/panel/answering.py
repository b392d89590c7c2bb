"""Answer a call by its route: here, by the panel, or by both."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from flask import Response, current_app, g

import calls
from app import logs
from app.panel import forward, routing, write_through
from app.panel.incoming import Incoming
from app.panel.problem import NOT_CARRIED_OUT, NOT_KNOWN, PanelProblem
from app.panel.routing import Rerouted
from app.panel.shadow import Asked, Shadow
from calls import Caller, php
from models.panel import pending, routes
from models.panel.pending import InDoubt
from models.panel.routes import FORWARD, LOCAL, SHADOW, WRITES, Closed
from models.store import clock
from models.store.base import change, retried
from models.store.errors import AWAY, Busy

WAIT_SECONDS = 1
"""How long a call waits while it is being changed who answers it."""
PAUSE_SECONDS = 0.1
Local = Callable[[], Response]
log = logging.getLogger(__name__)


def answered(asked: Incoming, name: str, caller: Caller, local: Local) -> Response:
    """Return the answer to a call of a caller who is proven and admitted; `local` is ours.

    Raises PanelProblem, also where it is being changed who answers, and what `local` raises.
    """
    end = clock.elapsed() + WAIT_SECONDS
    while True:
        try:
            return _answered(asked, routing.plain(name), caller, local)
        except (Rerouted, Closed):
            if clock.elapsed() >= end:
                said = "It is being changed who answers this call, try again"
                raise PanelProblem(f"{said}; {NOT_CARRIED_OUT}", sent=False) from None
        except InDoubt as doubt:
            raise PanelProblem(f"{doubt.sentence}; {NOT_KNOWN}", sent=True) from None
        clock.pause(PAUSE_SECONDS)
        routing.copy().read_again()


def _answered(asked: Incoming, name: str, caller: Caller, local: Local) -> Response:
    mode = g.record.route = routing.mode(name) if name else LOCAL
    if mode == LOCAL:
        return routing.kept_local(name, local) if name in WRITES else local()
    if mode == SHADOW:
        return _shadowed(asked, name, caller)
    if mode == FORWARD:
        return _noted(asked, name) if name in WRITES else forward.forwarded(asked)
    return _through(asked, name, caller)


def _noted(asked: Incoming, name: str) -> Response:
    """Forward a write, with a row that says so until the panel has answered."""
    flight = _taken_off(name)

    def land() -> None:
        try:
            pending.land(flight)
        except (*AWAY, Busy) as problem:
            # The row ends by its deadline.
            log.error("An answer could not be noted: %s", logs.place(problem))

    try:
        response = forward.forwarded(asked)
    except Exception as problem:
        if write_through.surely_unsent(problem):  # else the panel may be at it until the deadline
            land()
        raise
    response.call_on_close(land)
    return response


@retried
def _taken_off(name: str) -> int:
    with change():
        if routes.of_write(name).mode != FORWARD:
            raise Rerouted
        seconds = current_app.config["SETTINGS"].panel_seconds + write_through.SPARE_SECONDS
        return pending.take_off(name, write_through.worker(), seconds)


def _through(asked: Incoming, name: str, caller: Caller) -> Response:
    sent = write_through.sent(
        calls.registry()[name],
        asked.arguments(),
        caller,
        forward.panel(),
        # What is packed could not be read here.
        lambda: forward.sent(asked, Accept_Encoding="identity"),
    )
    if sent.status >= 400:
        g.record.message = f"panel_status_{sent.status}"
    response = Response(sent.body, status=sent.status)
    response.headers.clear()
    response.headers.update(sent.headers)
    return response


def _shadowed(asked: Incoming, name: str, caller: Caller) -> Response:
    """Forward a read; when its answer has been sent, it is compared with ours."""
    shadow: Shadow = current_app.config["SHADOW"]
    response = forward.forwarded(asked, Accept_Encoding="identity")
    with suppress(php.InvalidRequest):
        if asked.is_whole:
            shadow.watch(response, Asked(calls.registry()[name], asked.arguments(), caller))
    return response
