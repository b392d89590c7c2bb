"""A name for each request: in its answer, in its access line and in its error lines."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from itertools import count

from flask import Flask, Response, g, request

from app.config import Settings
from app.masking import masked
from models.store import clock

HEADER = "X-Request-Id"
SANE = re.compile(r"[0-9A-Fa-f-]{16,64}")
"""UUIDs, trace ids, nginx's $request_id; a word that is somebody's key hardly ever."""
_thread = threading.local()
_next: Callable[[], str]


def _begin() -> None:
    """Give this process names of its own: counting costs a tenth of asking for chance each time."""
    global _next
    _next = map(f"{clock.random_bytes(6).hex()}-{{:x}}".format, count(1)).__next__


_begin()
os.register_at_fork(after_in_child=_begin)


def init_app(app: Flask, settings: Settings) -> None:
    """Name every request. A name that came along is kept only where a trusted proxy stands."""

    @app.before_request
    def begin() -> None:
        name = _sane(request.headers.get(HEADER, "")) if settings.proxy_count else ""
        g.request_id = _thread.name = name or _next()

    @app.after_request
    def end(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        return response


def current() -> str:
    """Return the name of the request that this thread answers, "" between two."""
    return getattr(_thread, "name", "")


def end() -> None:
    """Forget the name: what this thread logs from here on belongs to no request."""
    _thread.name = ""


def _sane(text: str) -> str:
    """Return the text if it can be logged: a proxy may pass on what a client put there."""
    return text if SANE.fullmatch(text) and masked(text) == text else ""
