"""What gunicorn does with bytes that are no clean HTTP: patience, limits, and the envelope."""

from __future__ import annotations

import re
import select
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import (
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from app import faults, metrics, rpc
from calls import php

REQUEST_LINE_BYTES = 1_048_576
"""10,000 arguments of 100 bytes fit: more than max_input_vars is answered, not cut off.

gunicorn's own setting knows only up to 8,190 bytes or no limit at all.
"""
REQUEST_SECONDS = 60
"""How long a request may take to arrive: a client that trickles holds one thread, not for ever."""
NEXT_REQUEST_MILLISECONDS = 5
"""How long a thread stays with a connection that is kept alive before it is free for others."""
ANSWER_SECONDS = 60
"""How long a client may take to read one piece of an answer."""
REFUSED_BYTES = 16_777_216
"""How much of refused bytes is read away, so that their sender gets to the answer."""
REFUSED_SECONDS = 5
REQUEST_LINE = re.compile(rb"([^ ]+) ([^?]*\?)(.*) (HTTP/[0-9.]+)", re.DOTALL)
RAW = re.compile(rb"[^\x21-\x7e]")


class Slow(NoMoreData, TimeoutError):
    """Say that a client did not send in time."""


class Source(SocketUnreader):
    """Read the bytes of one connection, each request against its deadline."""

    def restart(self, seconds: float = REQUEST_SECONDS) -> None:
        """Give the next request its time."""
        self.deadline = time.monotonic() + seconds
        self.sock.settimeout(ANSWER_SECONDS)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes. Raises Slow after the deadline."""
        usual = self.sock.gettimeout()
        left = min(self.deadline - time.monotonic(), usual)
        if left <= 0:
            raise Slow
        self.sock.settimeout(left)
        try:
            return super().chunk(size_hint)
        except TimeoutError:
            raise Slow from None
        finally:
            self.sock.settimeout(usual)


class Arriving:
    """Read a body; a cut or broken one ends like a lost connection, never like a whole one."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end. Raises OSError."""
        # gunicorn takes a lost connection for the end: half an argument would pass for a whole one.
        due = min(size, self.reader.length) if isinstance(self.reader, LengthReader) else 0
        try:
            data = self.reader.read(size)
        except ParseException as problem:
            raise NoMoreData from problem
        if len(data) < due:
            raise NoMoreData
        return data


class TolerantRequest(Request):
    """Take a query string with raw blanks and bytes, as old servers did, and a long one."""

    def read_line(self, unreader: Any, buf: Any, limit: int = 0) -> Any:
        """Return the request line and the rest. Raises LimitRequestLine."""
        return super().read_line(unreader, buf, REQUEST_LINE_BYTES)

    def parse_request_line(self, line_bytes: bytes) -> None:
        """Parse the line. Raises ParseException."""
        super().parse_request_line(quoted(line_bytes))

    def set_body_reader(self) -> None:
        """Choose how the body is read. Raises ParseException."""
        super().set_body_reader()
        self.body.reader = Arriving(self.body.reader)


class Parser(RequestParser):
    """Parse the requests of one connection."""

    mesg_class = TolerantRequest

    def __init__(self, cfg: Any, sock: Any, client: Any) -> None:
        super().__init__(cfg, sock, client)
        self.unreader = Source(sock)

    def __next__(self) -> TolerantRequest:
        """Return the next request."""
        self.unreader.restart()
        return super().__next__()


class Worker(ThreadWorker):
    """Serve in threads; what is no HTTP gets the envelope, and nothing of it is repeated."""

    def run(self) -> None:
        """Serve until a signal comes; from the line in the log on, one ends it cleanly."""
        self.log.info("Worker ready with pid: %s", self.pid)
        super().run()
        metrics.publish()

    def notify(self) -> None:
        """Say that the loop is alive, as it does once a second at least."""
        super().notify()
        metrics.publish_when_due()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; a worker that stops takes those that wait, then no more.

        gunicorn keeps the socket open until its last answer is given: whoever connects meanwhile
        is cut off in the end, where a closed socket would have refused him at once.
        """
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        sys.setswitchinterval(1e-6)  # busy threads must not come between the last look and the end
        for listener in self.sockets:
            taken = -1
            while taken != self.nr_conns:
                taken = self.nr_conns
                self.accept(listener)
            listener.close()

    def handle(self, conn: TConn) -> Any:
        """Handle the next request of a connection, and those that follow close upon it."""
        if conn.parser is None and not self.cfg.is_ssl:
            conn.parser = Parser(self.cfg, conn.sock, conn.client)
        kept = super().handle(conn)
        # Handing a connection to the poller and back costs more than a short answer does.
        while kept is True and self.alive and self._next_is_close(conn):
            kept = super().handle(conn)
        return kept

    def _next_is_close(self, conn: TConn) -> bool:
        """Tell whether the next request comes at once; wait for it only if no other client does."""
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(0 if self.tpool._work_queue.qsize() else NEXT_REQUEST_MILLISECONDS))

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
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def quoted(line: bytes) -> bytes:
    """Return a request line with the raw bytes of its query string percent-encoded.

    Only there: a path with such bytes stays refused, since a proxy may have read it differently.
    """
    parts = REQUEST_LINE.fullmatch(line)
    if parts is None:
        return line
    method, path, query, version = parts.groups()
    return b"%s %s%s %s" % (method, path, RAW.sub(_percent, query), version)


def _percent(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]


def _drain(client: Any) -> None:
    source = Source(client)
    source.restart(REFUSED_SECONDS)
    left = REFUSED_BYTES
    while left > 0 and (piece := source.chunk(left)):
        left -= len(piece)
