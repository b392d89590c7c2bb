"""A receiver of webhooks that does to each connection what a test says, over real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PAUSE_SECONDS = 0.02
"""Between two bytes of those who drip: far less than any deadline in the tests."""
MOST_PIECES = 1000
"""After so many whoever never ends has ended, should nobody stop it."""
Behaviour = Callable[[socket.socket], None]


class Receiver:
    """Keep what came: whole requests, and how many connections."""

    def __init__(self, behave: Behaviour, trusted: ssl.SSLContext | None, host: str, port: int):
        self._behave = behave
        self._context = trusted
        self._listener = socket.create_server((host, port))
        self.port = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self.cut_off = threading.Event()
        """Set when the other side has closed while there was more to say."""
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                if self._context is None:
                    self._talk(connection)
                else:
                    with self._context.wrap_socket(connection, server_side=True) as encrypted:
                        self._talk(encrypted)
            except OSError:
                self.cut_off.set()

    def _talk(self, connection: socket.socket) -> None:
        self.requests += filter(None, [self._request(connection)])
        self._behave(connection)

    def _request(self, connection: socket.socket) -> bytes:
        """Return a request, nothing where the behaviour is to read it itself."""
        if getattr(self._behave, "reads", False):
            return b""
        text = b""
        while b"\r\n\r\n" not in text or len(text) < _size(text):
            piece = connection.recv(65_536)
            if not piece:
                break
            text += piece
        return text

    def close(self) -> None:
        """Take no more, and wait until all connections have ended."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


def _size(text: bytes) -> int:
    head, _, _ = text.partition(b"\r\n\r\n")
    (size,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(head) + 4 + int(size.partition(b":")[2])


@contextmanager
def receiver(
    behave: Behaviour,
    trusted: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[Receiver]:
    """Yield a receiver at an address; with the context of a certificate it speaks TLS."""
    running = Receiver(behave, trusted, host, port)
    try:
        yield running
    finally:
        running.close()


def says(text: bytes) -> Behaviour:
    """Answer with some bytes and close."""
    return lambda connection: connection.sendall(text)


def waits_after(text: bytes) -> Behaviour:
    """Answer with some bytes and wait until the other side closes."""

    def wait(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.settimeout(MOST_PIECES * PAUSE_SECONDS)
        while connection.recv(65_536):
            pass

    return wait


def drips(text: bytes, piece: bytes, pause: float = PAUSE_SECONDS) -> Behaviour:
    """Answer with some bytes, then with one piece after the other until the other side closes."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(text)
        for _ in range(MOST_PIECES):
            connection.sendall(piece)
            threading.Event().wait(pause)

    return drip


def reading_itself(behave: Behaviour) -> Behaviour:
    """Have a behaviour begin before the request is read."""
    behave.reads = True  # type: ignore[attr-defined]
    return behave
