"""Speak to the panel: each request is sent once, to one host, and within deadlines.

What urllib3 says is never shown: its messages quote URLs, and a key may stand in their query.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from ipaddress import ip_address
from typing import IO, Any, Self
from urllib.parse import SplitResult, urlencode, urlsplit

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
    TimeoutError,
)
from urllib3.util import SKIP_HEADER

from app.config import BadSetting, Settings, variable
from app.panel.gate import Gate
from app.panel.problem import FORWARDED, NOT_CARRIED_OUT, NOT_KNOWN, PanelProblem
from models.access.accesses import Pair

POOLED = 64
"""Idle connections that a process keeps; more are opened when more threads forward."""
IDLE_SECONDS = 3
"""A connection that was idle for longer is not used again: Apache closes them after 5 seconds,
and what is sent at that moment is lost without a word."""
PIECE_BYTES = 65_536
ASKED_BYTES = 16_777_216
"""The largest answer to a call of our own, unless it is said otherwise."""
FORM = "application/x-www-form-urlencoded"
PASSED_BACK = ("Content-Type", "Content-Encoding", "Content-Disposition")


class _Exchange:
    """Hold what one request needs that urllib3 has no place for, and whether it was sent."""

    def __init__(self, query: bytes, seconds: float) -> None:
        self.query = query
        self.ends = time.monotonic() + seconds
        self.sent = False
        self.sock: socket.socket | None = None

    @property
    def is_late(self) -> bool:
        return time.monotonic() >= self.ends

    def break_off(self) -> None:
        """Wake whoever waits for the socket; that thread closes it."""
        if self.sock is not None:
            with suppress(OSError):
                # Not SSLSocket's own method, which would take the encryption from under a read.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


_exchange: ContextVar[_Exchange] = ContextVar("exchange")


class _Exact(HTTPConnection):
    """Send the query byte for byte: urllib3 would escape it anew, http.client takes ASCII only."""

    _last_used = 0.0
    _current: _Exchange | None = None

    @property
    def is_connected(self) -> bool:
        """Tell whether the connection can be used again."""
        return time.monotonic() - self._last_used < IDLE_SECONDS and super().is_connected

    def request(self, *args: Any, **options: Any) -> None:
        """Send a request, as part of the current exchange."""
        self._current = _exchange.get()
        super().request(*args, **options)

    def send(self, data: Any) -> None:
        """Send what is given; the first of a request is its head, which gets the query."""
        exchange = self._current
        assert exchange is not None  # noqa: S101  # `request` has set it
        if self.sock is None:
            self.connect()
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
        self._running: set[_Exchange] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, exchange: _Exchange) -> None:
        with self._lock:
            self._running.add(exchange)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def remove(self, exchange: _Exchange) -> None:
        with self._lock:
            self._running.discard(exchange)

    def _run(self) -> None:
        while True:
            time.sleep(1)
            with self._lock:
                late = [each for each in self._running if each.is_late]
            for each in late:
                each.break_off()


_watch = _Watch()


class PanelResponse:
    """Hold the panel's answer: its status, the headers that are passed on, and its bytes as sent.

    `length` is the number of bytes, None where only their end tells. It must be closed.
    """

    def __init__(
        self, answer: BaseHTTPResponse, exchange: _Exchange, most: int, close: Callable[[], None]
    ) -> None:
        self._answer, self._exchange, self._most = answer, exchange, most
        self._close: Callable[[], None] | None = close
        self.status = answer.status
        self.length = getattr(answer, "length_remaining", None)
        self.headers = {
            name: answer.headers[name]
            for name in PASSED_BACK
            # One with a control character could be two for others.
            if answer.headers.get(name, "\0").isprintable()
        }

    @property
    def content_type(self) -> str:
        """Return the type of the bytes, "" where the panel says none."""
        return self.headers.get("Content-Type", "")

    def stream(self) -> Iterator[bytes]:
        """Yield the bytes as they come, not unpacked. Raises PanelProblem where they break off."""
        size, whole = 0, False
        try:
            with _told(self._exchange):
                for piece in self._answer.stream(PIECE_BYTES, decode_content=False):
                    size += len(piece)
                    if size > self._most:
                        raise PanelProblem(too_large(self._most), sent=True)
                    yield piece
                if self._exchange.is_late:  # it was broken off, which may look like an end
                    raise _late(self._exchange)
                whole = True
        finally:
            self.close(whole)

    def read(self) -> bytes:
        """Return all bytes. Raises PanelProblem."""
        return b"".join(self.stream())

    def close(self, whole: bool = False) -> None:
        """Give the connection back, or end it where not all was read; again, it does nothing."""
        close, self._close = self._close, None
        if close is not None:
            if not whole:
                self._answer.close()
            self._answer.release_conn()
            close()


class Panel:
    """Know one panel: its URL, who vouches for it, and the connections to it of this process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.most = settings.panel_answer_limit_bytes
        self._gate = Gate(settings.threads)
        url = _checked_url(settings)
        self._path = url.path or "/"
        options: dict[str, Any] = {
            "port": url.port,
            "maxsize": POOLED,
            "timeout": Timeout(
                connect=settings.panel_connect_seconds, read=settings.panel_silence_seconds
            ),
            "retries": False,
            "blocksize": PIECE_BYTES,
        }
        # urllib3 names hosts and paths in its log, queries too: none of it is shown.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
        host = str(url.hostname)
        self._pool: HTTPConnectionPool
        if url.scheme == "https":
            self._pool = _TLS(host, ssl_context=_context(settings.panel_ca), **options)
        else:
            self._pool = _Plain(host, **options)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Return the panel of the settings, None where there is none. Raises BadSetting."""
        return cls(settings) if settings.panel_url else None

    def send(
        self,
        method: str,
        query: bytes,
        headers: Mapping[str, str],
        body: bytes | IO[bytes] | None = None,
        seconds: float | None = None,
    ) -> PanelResponse:
        """Send one request, once, and return its answer when its head has come.

        `query` goes out as it is; a body that is a file needs a Content-Length in `headers`. It
        may take so many seconds as a whole, if it has a deadline of its own. Raises PanelProblem.
        """
        self._gate.enter()
        exchange = _Exchange(query, seconds or self.settings.panel_seconds)

        def leave() -> None:
            _watch.remove(exchange)
            self._gate.leave()

        try:
            _watch.add(exchange)
            answer = self._sent(exchange, method, headers, body)
        except BaseException:
            leave()
            raise
        return self._checked(PanelResponse(answer, exchange, self.most, leave))

    def _sent(
        self, exchange: _Exchange, method: str, headers: Mapping[str, str], body: Any
    ) -> BaseHTTPResponse:
        _exchange.set(exchange)
        ours = {"Accept-Encoding": SKIP_HEADER, "User-Agent": SKIP_HEADER, FORWARDED: "1"}
        answered = False
        try:
            with _told(exchange):
                answer = self._pool.urlopen(
                    method,
                    self._path,
                    body=body,
                    headers={**ours, **headers},
                    retries=False,
                    redirect=False,
                    assert_same_host=False,
                    preload_content=False,
                    decode_content=False,
                )
            answered = True
        finally:
            self._gate.note(answered)
        return answer

    def _checked(self, response: PanelResponse) -> PanelResponse:
        """Return an answer that can be passed on. Raises PanelProblem, and ends any other."""
        problem = None
        if 300 <= response.status < 400 and response.status != 304:
            said = f"The panel sends callers elsewhere: {variable('panel_url')} must be where it"
            problem = f"{said} answers itself; {NOT_KNOWN}"
        elif (response.length or 0) > self.most:
            problem = too_large(self.most)
        if problem:
            response.close()
            raise PanelProblem(problem, sent=True)
        return response

    def ask(
        self,
        call: str,
        arguments: Mapping[str, Any],
        pair: Pair | None = None,
        seconds: float | None = None,
        most: int = ASKED_BYTES,
    ) -> dict[str, Any]:
        """Return the panel's answer to one call, with our own pair unless another one is given.

        It may take so many seconds, if it has a deadline of its own, and has `most` bytes at most.

        Raises PanelProblem, also for what is no JSON object, and BadSetting for a pair that cannot
        be read.
        """
        pair = pair or own_pair(self.settings)
        form = {"api_id": pair.api_id, "api_key": pair.api_key, "call": call, **arguments}
        body = urlencode(form, doseq=True).encode()
        response = self.send("POST", b"", {"Content-Type": FORM}, body, seconds)
        text = bytearray()
        for piece in response.stream():
            text += piece
            if len(text) > most:
                response.close()
                raise PanelProblem(too_large(most), sent=True)
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise PanelProblem(
                f"The panel answers {call} with something that is no JSON (HTTP status "
                f"{response.status}): is {variable('panel_url')} the address of its api.php?",
                sent=True,
            )
        return answer


def own_pair(settings: Settings) -> Pair:
    """Return our own id and key at the panel, read anew. Raises BadSetting."""
    name, path = variable("panel_credentials_file"), settings.panel_credentials_file
    if not path:
        raise BadSetting(f"{name} must name a file with an id and a key of the panel on two lines")
    try:
        with open(path, encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise BadSetting(f"{name}: others may read that file; chmod 600 it")
            lines = file.read(1024).split()
    except OSError as problem:
        raise BadSetting(f"{name}: the file cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        lines = []
    if len(lines) != 2:
        raise BadSetting(f"{name}: the file must hold an id and a key, on two lines")
    return Pair(*lines)


def too_large(most: int) -> str:
    """Return the sentence about an answer over a limit."""
    return f"The panel's answer is larger than {most:,} bytes; {NOT_KNOWN}"


@contextmanager
def _told(exchange: _Exchange) -> Iterator[None]:
    """Turn what urllib3 raises into a PanelProblem, without its text."""
    try:
        yield
    except (HTTPError, OSError) as problem:
        raise _problem(problem, exchange) from None


def _problem(problem: Exception, exchange: _Exchange) -> PanelProblem:
    if exchange.is_late:
        return _late(exchange)
    end = NOT_KNOWN if exchange.sent else NOT_CARRIED_OUT
    url = variable("panel_url")
    if isinstance(problem, NameResolutionError):
        said = f"The panel's host has no address: check {url} and the resolver"
    elif isinstance(problem.args[0] if problem.args else None, ssl.SSLCertVerificationError):
        said = (
            "The panel's certificate does not hold: it must be valid for the host in "
            f"{url}, and of a CA in {variable('panel_ca')} or of the system"
        )
    elif isinstance(problem, NewConnectionError):
        said = f"The panel does not take connections: is it up, and is {url} right?"
    elif isinstance(problem, SSLError) and not exchange.sent:
        said = f"The panel does not speak TLS at the address in {url}"
    elif isinstance(problem, TimeoutError | OSError):
        said = "The panel did not answer in time"
    else:
        said = "The panel broke off"
    return PanelProblem(f"{said}; {end}", exchange.sent)


def _late(exchange: _Exchange) -> PanelProblem:
    end = NOT_KNOWN if exchange.sent else NOT_CARRIED_OUT
    return PanelProblem(f"The panel did not answer in time; {end}", exchange.sent)


def _checked_url(settings: Settings) -> SplitResult:
    """Return the parts of the panel's URL. Raises BadSetting."""
    name = variable("panel_url")
    text = settings.panel_url
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or not text.isascii() or not text.isprintable() or " " in text:
        raise BadSetting(f"{name} must be a URL such as https://panel.example/admin/api.php")
    if url.query or url.fragment or url.username is not None:
        raise BadSetting(f"{name} must have no query, no fragment and no user: keys are callers'")
    if url.scheme == "https":
        return url
    if url.scheme != "http":
        raise BadSetting(f"{name} must begin with https://")
    if not (settings.panel_plain_http or _is_loopback(host)):
        raise BadSetting(
            f"{name} must begin with https://: keys travel in it. http:// is for this machine, "
            f"and for others with {variable('panel_plain_http')}=1"
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _context(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError:  # ssl.SSLError is one
        raise BadSetting(f"{variable('panel_ca')} must be a file of PEM certificates") from None
