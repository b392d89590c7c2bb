"""A connection to a receiver on which every step ends by the same deadline."""

from __future__ import annotations

import io
import socket
import ssl
import time
from functools import cache
from typing import Any

HEAD_BYTES = 16_384
"""What status and headers of an answer may have."""
BODY_BYTES = 4096
"""What is read of an answer's body."""
Found = tuple[socket.AddressFamily, Any]
"""A family of addresses, and an address as its sockets take it."""


class Enough(Exception):
    """Say that an answer has more bytes than are read."""


@cache
def trust() -> ssl.SSLContext:
    """Return what verifies certificates: the system's authorities, or those of SSL_CERT_FILE."""
    return ssl.create_default_context()


class Wire(io.RawIOBase):
    """Stand in for the socket of an http.client connection: all that it does ends by a deadline."""

    def __init__(self, ends: float) -> None:
        self._ends = ends
        self._sock: socket.socket | None = None
        self._unsent = b""
        self._most = HEAD_BYTES
        self._in_head = True

    def left(self) -> float:
        """Return the seconds until the deadline. Raises TimeoutError after it."""
        if (left := self._ends - time.monotonic()) <= 0:
            raise TimeoutError
        return left

    def connect(self, found: Found, name: str | None) -> None:
        """Connect an address; with a name, by TLS with a certificate for it. Raises OSError."""
        family, address = found
        self._sock = sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(self.left())
        sock.connect(address)
        if name is not None:
            sock.settimeout(self.left())  # of the handshake as a whole
            self._sock = trust().wrap_socket(sock, server_hostname=name)

    def sendall(self, data: bytes) -> None:
        """Keep bytes until `send_out`."""
        self._unsent += data

    def send_out(self) -> None:
        """Send head and body as one: receivers may close when they have read the head alone."""
        unsent = memoryview(self._unsent)
        while unsent:
            unsent = unsent[self._ready().send(unsent) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what the answer is read from."""
        return io.BufferedReader(self, BODY_BYTES)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes, 0 at the end. Raises Enough, and OSError for an end in the head."""
        if not self._most:
            raise Enough
        size = self._ready().recv_into(memoryview(buffer)[: self._most])
        if not size and self._in_head:
            raise ConnectionResetError
        self._most -= size
        return size

    def begin_body(self) -> None:
        """Count anew: the head has come."""
        self._most, self._in_head = BODY_BYTES, False

    def close(self) -> None:
        """Do nothing: http.client closes its connection before it reads the answer."""

    def end(self) -> None:
        """Close the connection."""
        if self._sock is not None:
            self._sock.close()

    def _ready(self) -> socket.socket:
        assert self._sock is not None  # noqa: S101  # `connect` has set it
        self._sock.settimeout(self.left())
        return self._sock
