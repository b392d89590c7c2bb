"""What gunicorn does with bytes that are no clean HTTP: patience, limits, and the envelope."""

from __future__ import annotations

import re
import time
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
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import ThreadWorker, TConn

from app import faults, rpc

REQUEST_LINE_BYTES = 1_048_576
"""10,000 arguments of 100 bytes fit: more than max_input_vars is answered, not cut off.

gunicorn's own setting knows only up to 8,190 bytes or no limit at all.
"""
REQUEST_SECONDS = 60
"""How long a request may take to arrive: a client that trickles holds one thread, not for ever."""
ANSWER_SECONDS = 60
"""How long a client may take to read one piece of an answer."""
REQUEST_LINE = re.compile(rb"([^ ]+) ([^?]*\?)(.*) (HTTP/[0-9.]+)", re.DOTALL)
RAW = re.compile(rb"[^\x21-\x7e]")


class Slow(NoMoreData):
    """Say that the client did not send its request in time."""


class Source(SocketUnreader):
    """Read the bytes of one connection, each request against its deadline."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.restart()

    def restart(self) -> None:
        """Give the next request its time."""
        self.deadline = time.monotonic() + REQUEST_SECONDS

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes. Raises Slow after the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Slow
        self.sock.settimeout(left)
        try:
            return super().chunk(size_hint)
        except TimeoutError:
            raise Slow from None
        finally:
            self.sock.settimeout(ANSWER_SECONDS)


class Arriving:
    """Read a body; broken chunks end it like a lost connection, which the application expects."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes. Raises OSError."""
        try:
            return self.reader.read(size)
        except ParseException as problem:
            raise NoMoreData from problem


class TolerantRequest(Request):
    """Take a query string with raw blanks and bytes, as old servers did, and long ones."""

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

    def handle(self, conn: TConn) -> Any:
        """Handle the next request of a connection."""
        if conn.parser is None:
            conn.parser = Parser(self.cfg, conn.sock, conn.client)
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that did not get through the application."""
        status, text = refusal(exc)
        where = addr[0] if isinstance(addr, tuple) else "-"
        if isinstance(exc, ParseException):
            self.log.warning("Refused bytes from %s: %s", where, type(exc).__name__)
        else:
            self.log.error("A request from %s failed: %s", where, faults.place(exc))
        body = rpc.failure_body(text)
        head = (
            f"HTTP/1.1 {status} {text}\r\nContent-Type: {rpc.JSON_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            util.write(client, head.encode() + body)
        except OSError:
            self.log.debug("The client of a refused request is gone")


def refusal(problem: BaseException) -> tuple[int, str]:
    """Return status and reason for what went wrong below the application."""
    if isinstance(problem, LimitRequestLine | LimitRequestHeaders):
        return 413, "Request Entity Too Large"
    if isinstance(problem, UnsupportedTransferCoding):
        return 501, "Not Implemented"
    if isinstance(problem, ParseException):
        return 400, "Bad Request"
    return 503, "Internal error"


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
    return b"%%%02X" % found[0]
