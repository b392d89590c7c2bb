"""Requests in the form that nearly all clients send, read and answered in one step each.

gunicorn reads and answers whatever HTTP allows, which costs it more than most calls take. What
`HEAD` matches is a small part of HTTP that leaves nothing to interpret; all else is left to it.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gunicorn import SERVER, util
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader
from gunicorn.http.wsgi import Response, base_environ

from app.sending import TAKES_PIECES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

HEAD = re.compile(
    r"(GET|POST) ((/(?!/)[!-\"$->@-~]*+)(?:\?([!-\"$-~]*+))?) HTTP/1\.1\r\n"
    r"((?:[A-Za-z0-9-]++:[\t -~]*+\r\n){1,100}+)\r\n"
)
"""One GET or POST of HTTP/1.1, without raw bytes in its line and without folded headers."""
HEADER = re.compile(r"([^:]+):([^\r]*)\r\n")
NOT_PLAIN = {"EXPECT", "TRANSFER-ENCODING", "UPGRADE"}
LENGTH = re.compile(r"[0-9]{1,15}")
CONNECTIONS = {"", "close", "keep-alive"}
"""The values of the Connection header that say nothing about other headers."""
WITH_BODY = re.compile(r"(?!204|304)[2-5][0-9]{2} [ -~]*")
"""The status of an answer that has a body."""
ANSWER_HEADERS = re.compile(r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t -~\x80-\xff]*\r\n)*+")
HOOKS = ("pre_request", "post_request")
KEPT_NAMES = 512
TOGETHER_BYTES = 65536
"""Up to this size a body is copied behind its head, which costs less than handing over both."""
MOST_AT_ONCE = 1024
"""Pieces that the kernel takes in one call: IOV_MAX."""


class PlainRequest(Request):
    """Hold a request whose head matched; gunicorn takes it for one of its own."""

    def __init__(self, method: str, uri: str, closes: bool) -> None:
        # Not super().__init__: it reads from the connection.
        self.method = method
        self.uri = uri
        self.version = (1, 1)
        self.headers: list[tuple[str, str]] = []
        self.must_close = closes
        self.length = 0
        self.variables: dict[str, str] = {}

    @classmethod
    def read(cls, data: bytes, unreader: Unreader) -> PlainRequest | None:
        """Return the request that the bytes begin with and give back those behind its head.

        Return None for bytes that begin with anything else.
        """
        # As it matches characters of ASCII alone, any code that holds them will do.
        head = HEAD.match(data.decode("latin-1"))
        if head is None:
            return None
        method, uri, path, query, headers = head.groups("")
        variables: dict[str, str] = {}
        for name, value in HEADER.findall(headers):
            variable = _variable(name)
            if variable is None or variable in variables:
                return None
            variables[variable] = value.strip("\t ")
        length = variables.get("CONTENT_LENGTH", "0")
        connection = variables.get("HTTP_CONNECTION", "").lower()
        if connection not in CONNECTIONS or not LENGTH.fullmatch(length):
            return None
        request = cls(method, uri, connection == "close")
        request.path, request.query = path, query
        request.variables = variables
        request.length = int(length)
        request.body = Body(LengthReader(unreader, request.length))
        if head.end() < len(data):
            unreader.unread(data[head.end() :])
        return request

    def should_close(self) -> bool:
        """Tell whether the client wants the connection closed after the answer."""
        return self.must_close

    def environ(self, conn: Any) -> WSGIEnvironment:
        """Return the WSGI variables: what gunicorn sets, but for extras of its own."""
        path = self.path
        environ = _constants(conn.cfg) | self.variables
        environ["REQUEST_METHOD"] = self.method
        environ["PATH_INFO"] = util.unquote_to_wsgi_str(path) if "%" in path else path
        environ["QUERY_STRING"] = self.query
        environ["RAW_URI"] = self.uri
        environ["wsgi.input"] = self.body
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = _pair(conn.client)
        environ["SERVER_NAME"], environ["SERVER_PORT"] = _pair(conn.server)
        return environ


def allowed(cfg: Any) -> bool:
    """Tell whether these settings of gunicorn ask for nothing that only gunicorn does."""
    usual = all(cfg.settings[name].get() is cfg.settings[name].default for name in HOOKS)
    others = cfg.is_ssl or cfg.proxy_protocol != "off" or cfg.http2_cleartext != "off"
    return usual and not (others or "SCRIPT_NAME" in os.environ)


class PlainResponse(Response):
    """Send a body that is there as a whole together with its head; leave others to gunicorn."""

    status: Any

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Any:
        """Take the head of the answer."""
        if exc_info is not None or self.status is not None:
            return super().start_response(status, headers, exc_info)
        self.status = status
        self.given = headers
        return self.write

    def send(self, pieces: Iterable[bytes]) -> None:
        """Send the answer. Raises OSError, and InvalidResponseHeader for a head that is none."""
        if isinstance(pieces, list) and self._send_whole(pieces):
            return
        status, self.status = self.status, None
        super().start_response(status, self.given)
        for piece in pieces:
            self.write(piece)
        self.close()

    def _send_whole(self, body: list[bytes]) -> bool:
        head = "".join([f"{name}: {value}\r\n" for name, value in self.given])
        size = sum(map(len, body))
        sound = ANSWER_HEADERS.fullmatch(head) and head.count("\r\n") == len(self.given)
        fits = f"Content-Length: {size}\r\n" in head
        if not sound or not fits or not WITH_BODY.fullmatch(self.status):
            return False
        self.status_code = int(self.status[:3])
        self.response_length = self.sent = size
        kept = "close" if self.should_close() else "keep-alive"
        start = (
            f"HTTP/1.1 {self.status}\r\nServer: {SERVER}\r\nDate: {_date(int(time.time()))}\r\n"
            f"Connection: {kept}\r\n{head}\r\n"
        ).encode("latin-1")
        self.headers_sent = True
        if size <= TOGETHER_BYTES:
            self.sock.sendall(b"".join((start, *body)))
        else:
            _send(self.sock, [start, *body])
        return True


def _send(sock: socket.socket, pieces: list[bytes]) -> None:
    """Send all pieces from where they are, in as few system calls as the kernel takes."""
    views = [memoryview(piece) for piece in pieces]
    at = 0
    while at < len(views):
        sent = sock.sendmsg(views[at : at + MOST_AT_ONCE])
        while at < len(views) and sent >= len(views[at]):
            sent -= len(views[at])
            at += 1
        if sent:
            views[at] = views[at][sent:]


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


@lru_cache(maxsize=KEPT_NAMES)
def _variable(name: str) -> str | None:
    """Return the WSGI variable of a header, None for one that is gunicorn's to deal with."""
    name = name.upper()
    if name in NOT_PLAIN:
        return None
    variable = name.replace("-", "_")
    return variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"


def _pair(address: Any) -> tuple[str, str]:
    """Return host and port; those of a unix socket are its path and nothing."""
    if isinstance(address, tuple):
        return str(address[0]), str(address[1])
    return (address.decode() if isinstance(address, bytes) else address), ""


@lru_cache(maxsize=2)
def _constants(cfg: Any) -> WSGIEnvironment:
    return base_environ(cfg) | {
        "wsgi.multithread": True,
        "wsgi.url_scheme": "http",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        TAKES_PIECES: True,
    }
