"""The worker of gunicorn: threads for whole requests, and the envelope for what is no HTTP."""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http.errors import (
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request
from gunicorn.workers.gthread import (
    _DEFER,
    DEFAULT_WORKER_DATA_TIMEOUT,
    STOP_KEEPALIVE_LINGER,
    TConn,
    ThreadWorker,
)

from app import config, cores, faults, headers, metrics, plain_requests, rpc
from app.plain_requests import PlainRequest, PlainResponse
from app.reading import NEXT_REQUEST_SECONDS, Parser, Source, readable
from app.worker_loads import Load
from calls import php

REFUSED_BYTES = 16_777_216
"""How much of refused bytes is read away, so that their sender gets to the answer."""
REFUSED_SECONDS = 5
FREER_LOOKS, FREER_SECONDS = 4, 0.001
"""How often, and how long each time, a connection is left to a worker that has less to do."""


class Worker(ThreadWorker):
    """Serve in threads; what is no HTTP gets the envelope, and nothing of it is repeated."""

    alive: bool
    core: int | None = None
    """Set before the fork, by one who knows all workers."""

    def init_process(self) -> None:
        """Start; the setting is read again after each fork, as SIGHUP may bring another one."""
        settings = config.from_environment()
        self.request_seconds = settings.request_seconds
        if settings.keep_to_cores and self.core is not None:
            cores.keep_to(self.core)
        self.plain = plain_requests.allowed(self.cfg)
        self.load = Load(self.age)
        super().init_process()

    def run(self) -> None:
        """Serve until a signal comes; from the line in the log on, one ends it cleanly."""
        self._tell_load()
        self.log.info("Worker ready with pid: %s", self.pid)
        super().run()
        metrics.publish()

    def notify(self) -> None:
        """Say that the loop is alive, as it does once a second at least."""
        super().notify()
        metrics.publish_when_due()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End without waiting for requests, and from the loop.

        gunicorn ends amid the line that runs when the signal comes: an exit raised while a module
        is being imported can get lost, and leaves a trace in the log.
        """
        self.alive = False
        self.method_queue.defer(self._quit)

    def _quit(self) -> None:
        self.cfg.worker_int(self)
        self.tpool.shutdown(wait=False)
        sys.exit(0)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; a worker that stops takes those that wait, then no more.

        gunicorn keeps the socket open until its last answer is given: whoever connects meanwhile
        is cut off in the end, where a closed socket would have refused him at once.
        """
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        self.load.forget()
        sys.setswitchinterval(1e-6)  # busy threads must not come between the last look and the end
        for listener in self.sockets:
            taken = -1
            while taken != self.nr_conns:
                taken = self.nr_conns
                self.accept(listener)
            listener.close()

    def accept(self, listener: Any) -> None:
        """Take a connection, unless a worker that has less to do takes it meanwhile."""
        looks = FREER_LOOKS if self.alive else 0
        while looks and self.load.is_above_others():
            time.sleep(FREER_SECONDS)
            if not readable(listener, 0):
                return  # it is taken
            looks -= 1
        super().accept(listener)

    def enqueue_req(self, conn: TConn) -> None:
        """Let a thread handle the connection."""
        super().enqueue_req(conn)
        self._tell_load()

    def _tell_load(self) -> None:
        if self.alive:
            quiet = len(self.keepalived_conns) + len(self.pending_conns)
            self.load.tell(self.nr_conns, full=self.nr_conns - quiet >= self.cfg.threads)

    def handle(self, conn: TConn) -> Any:
        """Handle the next request of a connection, and those that follow close upon it."""
        if not (conn.initialized or conn.data_ready):
            # gunicorn would let a thread wait for five seconds: a hundred connections that say
            # nothing would keep all others out for a minute.
            wait = 0 if self.tpool._work_queue.qsize() else NEXT_REQUEST_SECONDS
            alive = self.alive  # it may change meanwhile: `finish_request` sees to that
            if not readable(conn.sock, wait if alive else STOP_KEEPALIVE_LINGER):
                return _DEFER if alive else False
            conn.data_ready = True
        if conn.parser is None and not self.cfg.is_ssl:
            conn.parser = Parser(self.cfg, conn.sock, conn.client, self.plain, self.request_seconds)
        kept = super().handle(conn)
        # Handing a connection to the poller and back costs more than a short answer does.
        while kept is True and self.alive and isinstance(conn.parser, Parser):
            # Nobody is kept waiting for one who may send no more.
            if not conn.parser.unreader.more(wait=not self.tpool._work_queue.qsize()):
                break
            kept = self._handle_next(conn) if conn.parser.plain else super().handle(conn)
        return kept

    def _handle_next(self, conn: TConn) -> bool:
        """Handle one more request: what gunicorn also does for each is only of use for a first."""
        req = None
        try:
            req = next(conn.parser)
            return self.handle_request(req, conn) and conn.parser.finish_body(
                deadline=time.monotonic() + DEFAULT_WORKER_DATA_TIMEOUT
            )
        except (StopIteration, NoMoreData, ConnectionError):
            return False  # there is nobody to answer
        except Exception as problem:  # noqa: BLE001  # whatever it is, the client gets an answer
            self.handle_error(req, conn.sock, conn.client, problem)
            return False

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep a connection or close it; one that has not spoken yet is heard at a stop too."""
        if not (self.alive or fs.cancelled() or fs.exception()) and fs.result() is _DEFER:
            # Its thread let go of it just before the stop; gunicorn would close it unheard.
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)
        self._tell_load()

    def handle_request(self, req: Request, conn: TConn) -> bool:
        """Answer a request. Return whether the connection can take another."""
        if not isinstance(req, PlainRequest):
            return bool(super().handle_request(req, conn))
        start = time.perf_counter()
        environ = req.environ(conn)
        response = PlainResponse(req, conn.sock, self.cfg)
        self.nr += 1
        if self.alive and self.nr >= self.max_requests:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        full = len(self.keepalived_conns) >= self.max_keepalived
        if full or not (self.alive and self.cfg.keepalive):
            response.force_close()
        pieces = self.wsgi(environ, response.start_response)
        try:
            response.send(pieces)
        except Exception as problem:
            if isinstance(problem, OSError) or not response.headers_sent:
                raise
            self.log.exception("An answer broke off")
            util.close_graceful(conn.sock)
            raise StopIteration from None
        finally:
            taken = timedelta(seconds=time.perf_counter() - start)
            self.log.access(response, req, environ, taken)
            if hasattr(pieces, "close"):
                pieces.close()
        return not response.should_close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that did not get through the application."""
        sender = addr[0] if isinstance(addr, tuple) else "-"
        if isinstance(exc, ParseException):
            self.log.warning("Refused bytes from %s: %s", sender, type(exc).__name__)
        else:
            self.log.error("A request from %s failed: %s", sender, faults.place(exc))
        with suppress(OSError):
            util.write(client, refusal(exc))
            _drain(client)


def refusal(problem: BaseException) -> bytes:
    """Return the whole answer to what went wrong below the application."""
    status = HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(problem, LimitRequestLine | LimitRequestHeaders):
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    elif isinstance(problem, UnsupportedTransferCoding):
        status = HTTPStatus.NOT_IMPLEMENTED
    elif isinstance(problem, ParseException):
        status = HTTPStatus.BAD_REQUEST
    body = php.encode(rpc.envelope(False, {}, "", error=[status.phrase]))
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {rpc.JSON_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n"
    )
    return head.encode() + headers.AS_BYTES + b"\r\n" + body


def _drain(client: Any) -> None:
    source = Source(client)
    source.restart(REFUSED_SECONDS)
    left = REFUSED_BYTES
    while left > 0 and (piece := source.chunk(left)):
        left -= len(piece)
