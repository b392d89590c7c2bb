"""Speak to the panel: each request is sent once, to one host, and within deadlines.

What urllib3 says is never shown: its messages quote URLs, and a key may stand in their query.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Self
from urllib.parse import urlencode

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
    TimeoutError,
)
from urllib3.util import SKIP_HEADER

from app.config import Settings, variable
from app.panel.address import checked_url, context, own_pair
from app.panel.connection import PIECE_BYTES, Exchange, current, pool, watch
from app.panel.gate import Gate
from app.panel.problem import FORWARDED, NOT_CARRIED_OUT, NOT_KNOWN, PanelProblem
from models.access.accesses import Pair

ASKED_BYTES = 16_777_216
"""The largest answer to a call of our own, unless it is said otherwise."""
FORM = "application/x-www-form-urlencoded"
PASSED_BACK = ("Content-Type", "Content-Encoding", "Content-Disposition")


class PanelResponse:
    """Hold the panel's answer: its status, the headers that are passed on, and its bytes as sent.

    `length` is the number of bytes, None where only their end tells. It must be closed.
    """

    def __init__(
        self, answer: BaseHTTPResponse, exchange: Exchange, most: int, close: Callable[[], None]
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

    def read(self, most: int) -> bytes:
        """Return all bytes. Raises PanelProblem, also for more than `most`."""
        body = bytearray()
        for piece in self.stream():
            body += piece
            if len(body) > most:
                self.close()
                raise PanelProblem(too_large(most), sent=True)
        return bytes(body)

    def close(self, whole: bool = False) -> None:
        """Give the connection back, or end it where not all was read; again, it does nothing."""
        close, self._close = self._close, None
        if close is not None:
            close()
            if not whole:
                self._answer.close()
            self._answer.release_conn()


class Panel:
    """Know one panel: its URL, who vouches for it, and the connections to it of this process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.most = settings.panel_answer_limit_bytes
        self._gate = Gate(settings.threads)
        url = checked_url(settings)
        self._path = url.path or "/"
        trusted = context(settings.panel_ca) if url.scheme == "https" else None
        self._pool = pool(url, trusted, settings)

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
        exchange = Exchange(query, self.settings, seconds)

        def leave() -> None:
            watch.remove(exchange)
            self._gate.leave()

        try:
            watch.add(exchange)
            answer = self._sent(exchange, method, headers, body)
        except BaseException:
            leave()
            raise
        return self._checked(PanelResponse(answer, exchange, self.most, leave))

    def _sent(
        self, exchange: Exchange, method: str, headers: Mapping[str, str], body: Any
    ) -> BaseHTTPResponse:
        current.set(exchange)
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
        text = response.read(most)
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


def too_large(most: int) -> str:
    """Return the sentence about an answer over a limit."""
    return (
        f"The panel's answer is larger than {most:,} bytes, which is the limit: ask for less at "
        f"once; {NOT_KNOWN}"
    )


@contextmanager
def _told(exchange: Exchange) -> Iterator[None]:
    """Turn what urllib3 raises into a PanelProblem, without its text."""
    try:
        yield
    except (HTTPError, OSError) as problem:
        raise _problem(problem, exchange) from None


def _problem(problem: Exception, exchange: Exchange) -> PanelProblem:
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


def _late(exchange: Exchange) -> PanelProblem:
    end = NOT_KNOWN if exchange.sent else NOT_CARRIED_OUT
    return PanelProblem(f"The panel did not answer in time; {end}", exchange.sent)
