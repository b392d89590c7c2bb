"""What is read in one step is read as gunicorn reads it, and answered as gunicorn answers it."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import InvalidResponseHeader
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers.gthread import TConn
from hypothesis import example, given
from hypothesis import strategies as st

from app import plain_requests, serving
from app.plain_requests import PlainRequest, PlainResponse
from app.reading import TolerantRequest
from app.sending import TAKES_PIECES

CLIENT = ("192.0.2.7", 50123)
SERVER = ("127.0.0.1", 8080)
EXTRAS = {"gunicorn.socket", "wsgi.early_hints", "wsgi.errors", "wsgi.input"}
DATE = re.compile(rb"\r\nDate: [^\r]+")
USUAL = b"GET /admin/api.php?call=a&x=%20+ HTTP/1.1\r\nHost: a.test:1\r\nAccept: */*\r\n\r\n"
POST = b"POST /api.php HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc"
OTHERS = [
    b"",
    b"GET /api.php HTTP/1.1\r\nHost: a\r\n",
    b"GET /api.php HTTP/1.0\r\nHost: a\r\n\r\n",
    b"PUT /api.php HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET //api.php HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://a/api.php HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api.php#a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api.php?a=\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api.php?a=b c HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api.php HTTP/1.1\nHost: a\n\n",
    b"GET /api.php HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET /api.php HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    b"GET /api.php HTTP/1.1\r\nX_Y: a\r\n\r\n",
    b"GET /api.php HTTP/1.1\r\nX: \xff\r\n\r\n",
    b"GET /api.php HTTP/1.1\r\nX: a\x00\r\n\r\n",
    b"GET /api.php HTTP/1.1\r\nX: a\r\nX: b\r\n\r\n",
    b"GET /api.php HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
    b"GET /api.php HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    b"GET /api.php HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /api.php HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    b"GET /api.php HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    b"GET /api.php HTTP/1.1\r\nConnection: close, x\r\n\r\n",
]
"""Requests that are gunicorn's to read, or to refuse."""
TARGETS = st.text("ab/?%&=+.;:@[]{}\"'<>|^`~!$*,\\-_0Z", max_size=20)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Host", "Accept", "Content-Type", "Connection", "X-A", "X-B", "x-a"]),
        st.text("ab ,:;=\t\"'é", max_size=8) | st.sampled_from(["close", "keep-alive", "Close"]),
    ),
    max_size=5,
)


@pytest.fixture
def cfg() -> Config:
    return settings()


def settings() -> Config:
    made = Config()
    made.set("forwarder_headers", "")
    made.set("secure_scheme_headers", {})
    made.set("http_parser", "python")
    return made


def connection(cfg: Config) -> TConn:
    here, there = socket.socketpair()
    with here, there:
        return TConn(cfg, here, CLIENT, SERVER)


def plain(data: bytes) -> tuple[PlainRequest | None, bytes]:
    """Return the request and what is left of the bytes behind its head."""
    rest = IterUnreader([])
    return PlainRequest.read(data, rest), rest.buf.getvalue()


def environ(made: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name not in EXTRAS}


@pytest.mark.parametrize("data", [USUAL, POST, USUAL + USUAL, POST + USUAL])
def test_usual_requests_are_read(data: bytes) -> None:
    request, _ = plain(data)
    assert request is not None
    assert_same(data)


@pytest.mark.parametrize("data", OTHERS)
def test_others_are_left_to_gunicorn_with_all_their_bytes(data: bytes) -> None:
    assert plain(data) == (None, b"")


@given(st.sampled_from(["GET", "POST"]), TARGETS, HEADERS, st.binary(max_size=5))
@example("GET", "a?", [("Connection", "Close")], b"")
@example("GET", "a%41%zz?b?c", [("Host", " a\t")], b"")
def test_what_is_read_is_read_alike(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    lines = [f"{method} /{target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    assert_same("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def assert_same(data: bytes) -> None:
    request, _ = plain(data)
    if request is None:
        return
    cfg = settings()
    conn = connection(cfg)
    unreader = IterUnreader([data])
    theirs = TolerantRequest(cfg, unreader, CLIENT)
    _, wanted = wsgi.create(theirs, conn.sock, CLIENT, SERVER, cfg)
    wanted |= {"wsgi.multithread": True, TAKES_PIECES: True}
    assert environ(request.environ(conn)) == environ(wanted)
    assert request.should_close() == theirs.should_close()
    mine = IterUnreader([])
    again = PlainRequest.read(data, mine)
    assert again is not None
    assert again.body.read() == theirs.body.read()
    assert mine.buf.getvalue() == unreader.buf.getvalue()


def all_of(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


def answered(
    cfg: Config, kind: type[wsgi.Response], headers: Any, pieces: Any, ask: bytes
) -> bytes:
    request, _ = plain(ask)
    here, there = socket.socketpair()
    with ThreadPoolExecutor() as reader, there, here:
        arrived = reader.submit(all_of, there)
        response = kind(request, here, cfg)
        response.start_response("200 OK", headers)
        if isinstance(response, PlainResponse):
            response.send(pieces)
        else:
            for piece in pieces:
                response.write(piece)
            response.close()
        here.shutdown(socket.SHUT_WR)
        return DATE.sub(b"", arrived.result())


@pytest.mark.parametrize("closing", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize(
    ("headers", "pieces"),
    [
        ([("Content-Type", "a/b"), ("Content-Length", "3")], [b"abc"]),
        ([("Content-Length", "0")], [b""]),
        ([("Content-Length", "100000"), ("X-A", "é")], [b"x" * 100_000]),
        ([("Content-Type", "a/b")], [b"abc"]),
        ([("Content-Length", "2")], [b"abc"]),
        ([("Content-Length", "6")], [b"abc", b"def"]),
        ([("Content-Length", "150001")], [b"x" * 100_000, b"", b"y", b"z" * 50_000]),
        ([("Content-Length", "150000")], [b"x" * 100] * 1500),
        ([], iter([b"abc", b"def"])),
    ],
)
def test_answers_are_the_bytes_that_gunicorn_sends(
    cfg: Config, headers: Any, pieces: Any, closing: bytes
) -> None:
    ask = USUAL[:-2] + closing + b"\r\n"
    given = list(pieces)
    both = [
        answered(cfg, kind, headers, given if isinstance(pieces, list) else iter(given), ask)
        for kind in (PlainResponse, wsgi.Response)
    ]
    assert both[0] == both[1]


class Sipping(socket.socket):
    """Take as few bytes at once as a kernel may."""

    def sendmsg(self, buffers: Any, *args: Any) -> int:
        return self.send(b"".join(buffers)[:7001])


def test_what_the_kernel_takes_in_parts_is_sent_to_the_end(cfg: Config) -> None:
    request, _ = plain(USUAL)
    here, there = socket.socketpair()
    pieces = [b"x" * 7001, b"y" * 7000, b"", b"z", b"w" * 90_000]
    with ThreadPoolExecutor() as reader, there, Sipping(fileno=here.detach()) as sipping:
        arrived = reader.submit(all_of, there)
        response = PlainResponse(request, sipping, cfg)
        response.start_response("200 OK", [("Content-Length", str(sum(map(len, pieces))))])
        response.send(pieces)
        sipping.shutdown(socket.SHUT_WR)
        answer = arrived.result()
    assert answer.partition(b"\r\n\r\n")[2] == b"".join(pieces)


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\x00"])
def test_a_header_that_would_end_early_is_refused(cfg: Config, value: str) -> None:
    headers = [("Content-Length", "1"), ("X-A", value)]
    with pytest.raises(InvalidResponseHeader):
        answered(cfg, PlainResponse, headers, [b"a"], USUAL)


def test_our_own_settings_leave_it_on_and_hooks_turn_it_off(cfg: Config) -> None:
    cfg.set("worker_class", "app.worker.Worker")
    assert serving.configuration().is_file()
    assert plain_requests.allowed(cfg)
    cfg.set("pre_request", lambda worker, request: None)
    assert not plain_requests.allowed(cfg)
