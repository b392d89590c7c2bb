"""Reading requests from connections: patience with old clients, and none with slow ones."""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from contextlib import suppress
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader

from app.plain_requests import PlainRequest

REQUEST_LINE_BYTES = 1_048_576
"""10,000 arguments of 100 bytes fit: more than max_input_vars is answered, not cut off.

gunicorn's own setting knows only up to 8,190 bytes or no limit at all.
"""
HEAD_SECONDS = 10
"""How long line and headers may take: a client that trickles holds one thread, not for long."""
NEXT_REQUEST_SECONDS = 0.005
"""How long a thread stays with a silent connection before it is free for others."""
ANSWER_SECONDS = 60
"""How long a client may take to read one piece of an answer."""
REQUEST_LINE = re.compile(rb"([^ ]+) ([^?]*\?)(.*) (HTTP/[0-9.]+)", re.DOTALL)
RAW = re.compile(rb"[^\x21-\x7e]")


class Slow(NoMoreData, TimeoutError):
    """Say that a client did not send in time."""


class Source(SocketUnreader):
    """Read the bytes of one connection, each request against its deadline."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        # The kernel keeps these; Python's own timeouts cost system calls at each use.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(ANSWER_SECONDS))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(NEXT_REQUEST_SECONDS))

    def restart(self, seconds: float) -> None:
        """Give the sender so much time from now."""
        self.deadline = time.monotonic() + seconds

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes. Raises Slow after the deadline."""
        size = max(self.mxchunk, min(size_hint or 0, self.max_body_chunk))
        while (left := self.deadline - time.monotonic()) > 0:
            with suppress(BlockingIOError):
                return self.sock.recv(size, socket.MSG_DONTWAIT)
            # gunicorn sets a timeout while it reads away the rest of a body.
            if not readable(self.sock, min(left, self.sock.gettimeout() or left)):
                break
        raise Slow

    def more(self, wait: bool) -> bool:
        """Tell whether the next request has begun; if told to wait, for a moment."""
        if self.buf.getbuffer().nbytes:
            return True
        try:
            self.unread(self.sock.recv(self.mxchunk, 0 if wait else socket.MSG_DONTWAIT))
        except OSError:  # nothing yet, or a lost connection, which its next reader finds
            return False
        return True


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
    mesg: Any

    def __init__(self, cfg: Any, sock: Any, client: Any, plain: bool, seconds: float) -> None:
        super().__init__(cfg, sock, client)
        self.unreader = Source(sock)
        self.plain = plain
        self.seconds = seconds

    def __next__(self) -> Request:
        """Return the next request. Raises Slow, as reading its body does later."""
        head = min(HEAD_SECONDS, self.seconds)
        self.unreader.restart(head)
        request = self._next()
        self.unreader.deadline += self.seconds - head
        return request

    def _next(self) -> Request:
        if not self.plain or (self.mesg and (self.mesg.should_close() or not self.finish_body())):
            return super().__next__()
        data = self.unreader.read()
        self.mesg = PlainRequest.read(data, self.unreader)
        if self.mesg is not None:
            self.mesg.body.reader = Arriving(self.mesg.body.reader)
            return self.mesg
        self.unreader.unread(data)
        return super().__next__()

    def finish_body(self, *limits: Any, **named: Any) -> bool:
        """Read away what is left of a body. Return False when that could not be done."""
        if isinstance(self.mesg, PlainRequest) and not self.mesg.length:
            return True
        return bool(super().finish_body(*limits, **named))


def quoted(line: bytes) -> bytes:
    """Return a request line with the raw bytes of its query string percent-encoded.

    Only there: a path with such bytes stays refused, since a proxy may have read it differently.
    """
    parts = REQUEST_LINE.fullmatch(line)
    if parts is None:
        return line
    method, path, query, version = parts.groups()
    return b"%s %s%s %s" % (method, path, RAW.sub(_percent, query), version)


def readable(sock: socket.socket, seconds: float) -> bool:
    """Tell whether there is something to read within so many seconds."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _timeval(seconds: float) -> bytes:
    """Return seconds as the C structure that socket options take."""
    whole, part = divmod(round(seconds * 1_000_000), 1_000_000)
    return struct.pack("@ll", whole, part)


def _percent(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]
