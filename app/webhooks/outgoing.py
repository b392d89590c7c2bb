"""One request to a receiver: its name is looked up once, and an address that was judged connected.

http.client does HTTP over a socket of ours, as the timeouts that it and urllib3 know begin anew
with each byte. It follows no redirects, knows no cookies and no proxies, and unpacks nothing.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple
from urllib.parse import urlsplit

from werkzeug.http import parse_date

from app.webhooks.addresses import Network, is_inside, refused
from app.webhooks.wire import BODY_BYTES, HEAD_BYTES, Enough, Found, Wire, trust
from models.store.errors import Invalid

SECONDS = 15.0
LONGEST_URL = 2000
LONGEST_PAUSE = 86_400.0
"""Seconds that a receiver may ask to be left alone."""
NAME = re.compile(r"[0-9a-z_-]+(\.[0-9a-z_-]+)*")
IPV6 = re.compile(r"[0-9a-f:.]+")
"""Without the name of an interface."""
PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Answer:
    """Say how a request ended: `problem` is empty where the status is 2xx, and only there.

    `status` is None where there was no whole answer; `retry_after` is how many seconds the receiver
    wants to be left alone, `seconds` how long it took.
    """

    status: int | None
    problem: str
    retry_after: float | None
    seconds: float


class _Target(NamedTuple):
    secure: bool
    host: str
    port: int
    path: str


class _Failed(Exception):
    """Say in a few words why there is no answer."""


def check_url(url: str, allowed: Sequence[Network]) -> None:
    """Check the URL of a receiver without looking its name up. Raises Invalid.

    `allowed` are networks that may be sent to though they are not public, and by http:// too.
    """
    try:
        target = _target(url)
        if not target.secure and not allowed:
            raise _Failed("it must begin with https://")
        with suppress(socket.gaierror):  # a name, and no address
            _judged(_look_up(target, socket.AI_NUMERICHOST), target, allowed)
    except _Failed as failed:
        raise Invalid(f"Nothing can be sent to this URL: {failed}") from None


def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    allowed: Sequence[Network],
    seconds: float = SECONDS,
) -> Answer:
    """Send a request once and return how that ended; all of it takes so many seconds at most.

    All addresses of the name must be public or in `allowed`; the first is connected. Redirects are
    not followed. Raises nothing for what a receiver does, or for a URL that `check_url` refuses.
    """
    began = time.monotonic()
    wire = Wire(began + seconds)
    status, pause = None, None
    try:
        response = _exchange(wire, _target(url), headers, body, allowed)
        status, pause = response.status, _pause(response.getheader("Retry-After", ""))
        problem = _said(status)
    except TimeoutError:
        problem = f"no answer within {seconds:g} s"
    except _Failed as failed:
        problem = str(failed)
    except (OSError, HTTPException) as failed:
        problem = _why(failed)
    finally:
        wire.end()
    return Answer(status, problem, pause, time.monotonic() - began)


def _target(url: str) -> _Target:
    """Return where a URL leads. Raises _Failed."""
    if len(url) > LONGEST_URL:
        raise _Failed(f"it must have {LONGEST_URL} characters at most")
    if not url.isprintable() or " " in url:
        raise _Failed("it must have no blanks and no control characters")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".").encode("idna").decode()
        port = parts.port
    except ValueError:
        raise _Failed("it must be like https://shop.example/hook") from None
    if parts.scheme not in PORTS:
        raise _Failed("it must begin with https://")
    if "@" in parts.netloc or "#" in url:
        raise _Failed("it must have no user, no password and no fragment")
    if not (IPV6 if "[" in parts.netloc else NAME).fullmatch(host):
        raise _Failed("it must name a host")
    if port == 0:
        raise _Failed("its port must be from 1 to 65535")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise _Failed("after the host it must be ASCII, with % for other characters")
    return _Target(parts.scheme == "https", host, port or PORTS[parts.scheme], path)


def _look_up(target: _Target, flags: int = 0) -> list[Found]:
    """Return the addresses of a host, the best first. Raises OSError."""
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


def _looked_up(target: _Target, seconds: float) -> list[Found]:
    """Return the same within so many seconds. Raises TimeoutError and OSError.

    The resolver cannot be stopped: a thread that waits longer is left to the resolver's own
    timeout, and does not keep the process from ending.
    """
    answers: SimpleQueue[list[Found] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_look_up(target))
        except OSError as problem:
            answers.put(problem)

    Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _judged(found: list[Found], target: _Target, allowed: Sequence[Network]) -> Found:
    """Return the address to connect. Raises _Failed if one of them is refused.

    One is enough: whoever mixes public and other addresses has made a mistake or tries something,
    and would hear of it only sometimes, as the order changes.
    """
    for _, (text, *_) in found:
        address = ip_address(text)
        if refused(address, allowed):
            raise _Failed("its address is not public")
        if not (target.secure or is_inside(address, allowed)):
            raise _Failed("http:// is not allowed to its address, only https://")
    return found[0]


def _exchange(
    wire: Wire,
    target: _Target,
    headers: Mapping[str, str],
    body: bytes,
    allowed: Sequence[Network],
) -> HTTPResponse:
    """Return an answer that came whole, or to BODY_BYTES of its body. Raises OSError and others."""
    found = _judged(_looked_up(target, wire.left()), target, allowed)
    wire.connect(found, target.host if target.secure else None)
    connection: HTTPConnection
    if target.secure:  # which leaves port 443 out of the Host header
        connection = HTTPSConnection(target.host, target.port, context=trust())
    else:
        connection = HTTPConnection(target.host, target.port)
    connection.sock = wire
    connection.request("POST", target.path, body, {"Connection": "close", **headers})
    with suppress(ConnectionError):  # it may have answered before all was sent
        wire.send_out()
    try:
        return _whole(connection, wire)
    except ValueError:  # http.client passes some on, such as that of a chunk of -5 bytes
        raise HTTPException from None


def _whole(connection: HTTPConnection, wire: Wire) -> HTTPResponse:
    try:
        response = connection.getresponse()
    except Enough:
        raise _Failed(f"its headers have more than {HEAD_BYTES:,} bytes") from None
    wire.begin_body()
    with suppress(Enough):
        if len(response.read(BODY_BYTES)) < BODY_BYTES and response.length:
            raise ConnectionResetError
    return response


def _pause(text: str) -> float | None:
    """Return the seconds of a Retry-After header, None for what is neither a number nor a date."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)
    else:
        try:
            until = parse_date(text)
        except OverflowError:
            until = None
        if until is None:
            return None
        seconds = (until - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def _said(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return f"redirects are not followed ({status})" if 300 <= status < 400 else f"answered {status}"


def _why(problem: OSError | HTTPException) -> str:
    """Return in a few words why there is no answer, without what the receiver sent."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {problem.verify_message.rstrip('.')}"
    if isinstance(problem, ssl.SSLError):
        return "TLS with it failed"
    if isinstance(problem, socket.gaierror):
        return "its name was not found"
    if isinstance(problem, ConnectionRefusedError):
        return "it takes no connections"
    if isinstance(problem, ConnectionError | IncompleteRead):
        return "it closed the connection before it had answered"
    if isinstance(problem, HTTPException):
        return "its answer is no HTTP"
    return "it cannot be reached"
