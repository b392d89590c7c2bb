"""One process that answers both APIs and the control, by Werkzeug's server of threads."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

from app.double import asked, control, faults
from app.double.control import ROOT
from app.double.state import Double

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MARK = ("X-Promobridge-Double", "1")
"""On every answer, so that nobody takes a double for the real thing."""
SOCKET = "werkzeug.socket"


class Handler(WSGIRequestHandler):
    """Keep connections open, and log nothing: paths hold credentials."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *args: Any) -> None:
        """Log no request."""

    def log(self, *args: Any) -> None:
        """Log nothing of a connection."""


def application(double: Double, control_from: Iterable[str] = ()) -> WSGIApplication:
    """Return the WSGI application of a double."""
    controlled = control.make(double, tuple(control_from)).wsgi_app

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, MARK], *rest)

        path = environ["PATH_INFO"]
        if path == ROOT or path.startswith(f"{ROOT}/"):
            return controlled(environ, start)
        return _answered(double, environ, start)

    return serve


def _answered(double: Double, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Answer a request by the application, or as a fault makes of it."""
    request = asked.read(environ, double.app, double.settings.body_limit_bytes)
    fault = double.faults.of(request)
    kind = None if fault is None else fault.kind
    if fault is not None and kind == "delay":
        time.sleep(fault.value)
    if kind == "drop":
        double.journal.add(request, 0, double.clock.time())
        return _broken(environ)
    with double.gate.request():
        instead = None if fault is None else faults.instead(fault, request)
        app = double.app if instead is None else instead
        body, status, headers = run_wsgi_app(app, environ, buffered=True)
        double.journal.add(request, int(status[:3]), double.clock.time())
    if kind == "lose_answer":
        return _broken(environ)
    start(status, headers.to_wsgi_list())
    return _half(b"".join(body), environ) if kind == "cut" else body


def _broken(environ: WSGIEnvironment) -> Iterable[bytes]:
    """End the connection without an answer."""
    connection: socket.socket = environ[SOCKET]
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def _half(body: bytes, environ: WSGIEnvironment) -> Iterator[bytes]:
    """Yield half of an answer and end the connection."""
    yield body[: len(body) // 2]
    _broken(environ)


def server(app: WSGIApplication, host: str, port: int) -> BaseWSGIServer:
    """Return the server of an application, which listens by now. Port 0 takes a free one.

    Raises OSError where it cannot listen.
    """
    return make_server(host, port, app, threaded=True, request_handler=Handler)
