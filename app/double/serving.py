"""The WSGI application of a double, and the server that answers by it."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import Application
from werkzeug.test import run_wsgi_app

from app.cli.serve import Address, configuration
from app.cli.worker import work_on_next
from app.double import asked, control, faults
from app.double.control import ROOT
from app.double.state import Double

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MARK = ("X-Promobridge-Double", "1")
"""On every answer, so that nobody takes a double for the real thing."""
SOCKET = "gunicorn.socket"
THREADS = 128
"""Requests at once; one that a fault delays keeps a thread, and control needs one too."""
JOBS = "POST /v1/campaigns/codes/jobs"
USAGE = "listapiusage"


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
    pair = double.credentials.pair
    over = double.over  # before a fault is found: whoever goes back takes the faults away first
    request = asked.read(environ, double.app, double.settings, pair)
    fault = double.faults.of(request)
    kind = None if fault is None else fault.kind
    entry = double.journal.add(request, double.clock.time())
    if fault is not None and kind == "delay":
        over.wait(fault.value)
    if kind == "drop":
        return _broken(environ)
    with double.gate.request():
        if kind == "delay" and over.is_set():
            return _broken(environ)  # it belongs to what was stored before
        instead = None if fault is None else faults.instead(fault, request)
        if request.call.lower() == USAGE:
            double.write_log()  # what it shows depends on the calls alone, not on when they waited
        if instead is None and request.is_admitted:
            instead = double.stubs.answer(request.call, request.arguments)
        app = double.app if instead is None else instead
        body, status, headers = run_wsgi_app(app, environ, buffered=True)
        while request.call == JOBS and work_on_next(lambda: False):
            pass  # no worker stands beside a double: what was asked for is made at once
        entry.answer(int(status[:3]))
    if kind == "lose_answer":
        return _broken(environ)
    start(status, headers.to_wsgi_list())
    return _half(b"".join(body), environ) if kind == "cut" else body


def _broken(environ: WSGIEnvironment) -> Iterable[bytes]:
    """End the connection without an answer."""
    connection: socket.socket = environ[SOCKET]
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    # Of this error gunicorn writes no line: it takes it for a client that went away.
    raise ConnectionResetError(errno.ECONNRESET, "A fault ended the connection")


def _half(body: bytes, environ: WSGIEnvironment) -> Iterator[bytes]:
    """Yield half of an answer and end the connection."""
    yield body[: len(body) // 2]
    _broken(environ)


def serve(app: WSGIApplication, address: Address, ready: Callable[[], None]) -> None:
    """Serve an application by one worker of gunicorn until a signal ends it.

    The worker alone has what is stored and set, so there is one. `ready` is called in it.
    """
    options = {
        "bind": address.bind,
        "workers": 1,
        "threads": THREADS,
        "logconfig_dict": {},  # no line for each request
        "loglevel": "error",
        "graceful_timeout": 1,
        "timeout": 0,  # a request may wait as long as a fault wants
        "post_worker_init": lambda worker: ready(),
        # Another worker would begin with a store that is gone.
        "child_exit": lambda arbiter, worker: os.kill(os.getpid(), signal.SIGTERM),
    }

    class Gunicorn(Application):
        """Be gunicorn with the settings file of the real server, and these options."""

        def load_config(self) -> None:
            """Read the settings."""
            self.load_config_from_file(str(configuration()))
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> WSGIApplication:
            """Return the WSGI application."""
            return app

    Gunicorn().run()
