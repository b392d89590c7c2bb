"""A name for each request: in its answer, in its access line and in its error lines."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

from app.masking import masked
from models import clock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADER = "X-Request-Id"
VARIABLE = "promobridge.request_id"
"""A WSGI variable; no header of a client can set it."""
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


class RequestIds:
    """Name every request. A name that came along is kept only where a trusted proxy stands."""

    def __init__(self, app: WSGIApplication, proxy_count: int) -> None:
        self.app = app
        self.proxied = proxy_count > 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on and put its name into the answer's headers."""
        name = _sane(environ.get("HTTP_X_REQUEST_ID", "")) if self.proxied else ""
        environ[VARIABLE] = _thread.name = name = name or _next()

        def start(status: str, headers: list[tuple[str, str]], *problem: Any) -> Any:
            headers.append((HEADER, name))
            return start_response(status, headers, *problem)

        return self.app(environ, start)


def current() -> str:
    """Return the name of the request that this thread answers, "" between two."""
    return getattr(_thread, "name", "")


def end() -> None:
    """Forget the name: what this thread logs from here on belongs to no request."""
    _thread.name = ""


def _sane(text: str) -> str:
    """Return the text if it can be logged: a proxy may pass on what a client put there."""
    return text if SANE.fullmatch(text) and masked(text) == text else ""
