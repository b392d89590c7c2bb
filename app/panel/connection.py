"""Connections to the panel: a request goes out as it came, and none takes longer than it may."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from urllib.parse import SplitResult

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from app.config import Settings

POOLED = 64
"""Idle connections that a process keeps; more are opened when more threads forward."""
IDLE_SECONDS = 3
"""A connection that was idle for longer is not used again: Apache closes them after 5 seconds,
and what is sent at that moment is lost without a word."""
PIECE_BYTES = 65_536


class Exchange:
    """Hold what one request needs that urllib3 has no place for, and whether it was sent."""

    def __init__(self, query: bytes, settings: Settings, seconds: float | None = None) -> None:
        self.query = query
        self.silence = settings.panel_silence_seconds
        self.ends = time.monotonic() + (seconds or settings.panel_seconds)
        self.sent = False
        self.sock: socket.socket | None = None

    @property
    def is_late(self) -> bool:
        """Tell whether it has taken as long as it may."""
        return time.monotonic() >= self.ends

    def break_off(self) -> None:
        """Wake whoever waits for the socket; that thread closes it."""
        if self.sock is not None:
            with suppress(OSError):
                # Not SSLSocket's own method, which would take the encryption from under a read.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


current: ContextVar[Exchange] = ContextVar("exchange")


class _Exact(HTTPConnection):
    """Send the query byte for byte: urllib3 would escape it anew, http.client takes ASCII only."""

    _last_used = 0.0
    _current: Exchange | None = None

    @property
    def is_connected(self) -> bool:
        """Tell whether the connection can be used again."""
        return time.monotonic() - self._last_used < IDLE_SECONDS and super().is_connected

    def request(self, *args: Any, **options: Any) -> None:
        """Send a request, as part of the current exchange."""
        self._current = current.get()
        super().request(*args, **options)

    def send(self, data: Any) -> None:
        """Send what is given; the first of a request is its head, which gets the query."""
        exchange = self._current
        assert exchange is not None  # noqa: S101  # `request` has set it
        if self.sock is None:
            self.connect()
        self.sock.settimeout(exchange.silence)  # it was that of connecting
        if not exchange.sent:
            if exchange.query:
                data = data.replace(b" HTTP/1.1\r\n", b"?%b HTTP/1.1\r\n" % exchange.query, 1)
            exchange.sock, exchange.sent = self.sock, True
        super().send(data)

    def getresponse(self) -> Any:
        """Wait for the head of the answer."""
        try:
            return super().getresponse()
        finally:
            self._last_used = time.monotonic()


class _ExactTLS(_Exact, HTTPSConnection):
    """The same, encrypted."""


class _Plain(HTTPConnectionPool):
    ConnectionCls = _Exact


class _TLS(HTTPSConnectionPool):
    ConnectionCls = _ExactTLS


class _Watch:
    """Break off exchanges that take too long: a timeout of sockets begins anew with each byte."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)  # where the thread does not live on

    def _begin(self) -> None:
        self._running: set[Exchange] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, exchange: Exchange) -> None:
        """Break an exchange off once it is late."""
        with self._lock:
            self._running.add(exchange)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def remove(self, exchange: Exchange) -> None:
        """Leave an exchange alone: it has ended."""
        with self._lock:
            self._running.discard(exchange)

    def _run(self) -> None:
        while True:
            time.sleep(1)
            with self._lock:  # until then nobody else has the connection
                for each in self._running:
                    if each.is_late:
                        each.break_off()


watch = _Watch()


def pool(
    url: SplitResult, context: ssl.SSLContext | None, settings: Settings
) -> HTTPConnectionPool:
    """Return the connections to one host, none opened yet; each use needs an exchange in `current`.

    `context` says whose certificates hold; without one they are not encrypted.
    """
    # urllib3 names hosts and paths in its log, queries too: none of it is shown.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
    waits = Timeout(connect=settings.panel_connect_seconds, read=settings.panel_silence_seconds)
    options: dict[str, Any] = {
        "port": url.port,
        "maxsize": POOLED,
        "timeout": waits,
        "retries": False,
        "blocksize": PIECE_BYTES,
    }
    host = str(url.hostname)
    if context is None:
        return _Plain(host, **options)
    return _TLS(host, ssl_context=context, **options)
