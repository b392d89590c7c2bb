"""Make the application of the pages when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from app import logs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = "/ui"


class Pages:
    """Answer requests under ROOT by an application of their own.

    Sessions, forms and templates take time and memory that a service without pages need not
    spend, and no request of the API passes through them.
    """

    def __init__(self, make: Callable[[], WSGIApplication]) -> None:
        self._make = make
        self._made: WSGIApplication | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on, ROOT being the name of the script."""
        with self._lock:
            made = self._made = self._made or self._make()
        # A copy: the server's log has the path that was asked for, which its masks know.
        inner = environ | {
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + ROOT,
            "PATH_INFO": environ["PATH_INFO"].removeprefix(ROOT),
        }
        answer = made(inner, start_response)
        if logs.ROUTE in inner:
            environ[logs.ROUTE] = inner[logs.ROUTE]
        return answer
