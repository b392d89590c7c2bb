"""One request to a receiver, whatever that does: how it ends, by when, and what was sent."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network

import pytest

from app.webhooks.outgoing import Answer, post
from app.webhooks.wire import BODY_BYTES, HEAD_BYTES
from tests.app.webhooks.scripted_receiver import (
    PAUSE_SECONDS,
    Behaviour,
    Receiver,
    drips,
    reading_itself,
    receiver,
    says,
    waits_after,
)

pytestmark = pytest.mark.without_store

HERE = [ip_network("127.0.0.0/8")]
SHORT = 0.2
"""Seconds that those have who never answer."""
LONG = 10.0
"""Seconds that a busy machine may take to notice; whoever drips goes on for longer."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BROKE_OFF = "it closed the connection before it had answered"
NO_HTTP = "its answer is no HTTP"
TOO_LONG = f"its headers have more than {HEAD_BYTES:,} bytes"


def send(to: Receiver, seconds: float = LONG, body: bytes = b"{}") -> Answer:
    url = f"http://127.0.0.1:{to.port}/hook?a=b"
    return post(url, {"webhook-id": "msg_1"}, body, HERE, seconds)


def answered(behave: Behaviour, seconds: float = LONG) -> Answer:
    with receiver(behave) as running:
        return send(running, seconds)


def status(line: str, *headers: str, body: str = "") -> bytes:
    return "\r\n".join(
        [f"HTTP/1.1 {line}", *headers, f"Content-Length: {len(body)}", "", body]
    ).encode()


def test_what_is_sent_is_one_request_that_asks_for_nothing_packed() -> None:
    with receiver(says(OK)) as running:
        answer = send(running, body=b'{"type":"code.redeemed"}')
    assert (answer.status, answer.problem, answer.retry_after) == (200, "", None)
    assert 0 < answer.seconds < LONG
    (request,) = running.requests
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    assert line == "POST /hook?a=b HTTP/1.1"
    assert sorted(headers) == [
        "Accept-Encoding: identity",
        "Connection: close",
        "Content-Length: 24",
        f"Host: 127.0.0.1:{running.port}",
        "webhook-id: msg_1",
    ]
    assert body == b'{"type":"code.redeemed"}'


@pytest.mark.parametrize(
    ("answer", "number", "problem"),
    [
        (OK, 200, ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil it closes", 200, ""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, ""),
        (status("200 OK", "Content-Encoding: gzip", body="no gzip"), 200, ""),
        (status("400 Bad Request", body="sk_live_secret"), 400, "answered 400"),
        (status("410 Gone"), 410, "answered 410"),
        (status("500 Oops"), 500, "answered 500"),
        (b"", None, BROKE_OFF),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", None, BROKE_OFF),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", None, BROKE_OFF),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok", None, BROKE_OFF),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nok", None, NO_HTTP),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None, NO_HTTP),
        (b"\x00\xff" * 500 + b"\r\n\r\n", None, NO_HTTP),
        (b"HTTP/1.1 2000 OK\r\n\r\n", None, NO_HTTP),
        (b"HTTP/1.1 " + b"9" * 5000 + b"\r\n\r\n", None, NO_HTTP),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", None, NO_HTTP),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * HEAD_BYTES + b"\r\n\r\n", None, TOO_LONG),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000 + OK, None, TOO_LONG),
    ],
)
def test_an_answer_is_its_status_or_why_there_is_none(
    answer: bytes, number: int | None, problem: str
) -> None:
    got = answered(says(answer))
    assert (got.status, got.problem) == (number, problem)


def test_headers_may_have_so_many_bytes_and_no_more() -> None:
    empty = len(status("200 OK", "A: "))
    for more, problem in ((0, ""), (1, TOO_LONG)):
        answer = status("200 OK", "A: " + "a" * (HEAD_BYTES - empty + more))
        assert answered(waits_after(answer)).problem == problem
    pieces = drips(b"HTTP/1.1 200 OK\r\nA: ", b"a" * 1001)
    assert answered(pieces).problem == TOO_LONG


@pytest.mark.parametrize("number", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_its_target_hears_nothing(number: int) -> None:
    with receiver(says(OK)) as target:
        location = f"Location: http://127.0.0.1:{target.port}/"
        answer = answered(says(status(f"{number} Elsewhere", location)))
    assert (answer.status, answer.problem) == (number, f"redirects are not followed ({number})")
    assert target.connections == 0


def test_a_cookie_is_not_kept_and_each_request_has_its_own_connection() -> None:
    with receiver(waits_after(status("200 OK", "Set-Cookie: a=b"))) as running:
        assert [send(running).status for _ in range(2)] == [200, 200]
    assert running.connections == 2
    assert not any(b"cookie" in request.lower() for request in running.requests)


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(says(OK)) as proxy, receiver(says(OK)) as running:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert send(running).status == 200
    assert (proxy.connections, running.connections) == (0, 1)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 500 Oops\r\n\r\n"])
def test_so_much_of_a_body_is_enough(head: bytes) -> None:
    answer = answered(waits_after(head + b"a" * BODY_BYTES))
    assert answer.status == int(head[9:12])
    answer = answered(waits_after(head + b"a" * (BODY_BYTES - 1)), SHORT)
    assert answer.status is None


def test_the_sizes_of_chunks_count_too() -> None:
    chunks = b"1\r\na\r\n" * (BODY_BYTES // 2)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert answered(waits_after(head + chunks)).status == 200


@pytest.mark.parametrize("piece", [b"a" * 65_536, b"1\r\na\r\n" * 10_000])
def test_a_body_without_an_end_is_cut_off(piece: bytes) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n" if piece[:1] == b"1" else b""
    with receiver(drips(b"HTTP/1.1 200 OK\r\n%b\r\n" % chunked, piece, 0)) as running:
        answer = send(running)
        assert (answer.status, answer.problem) == (200, "")
        assert running.cut_off.wait(LONG)


@pytest.mark.parametrize(
    "behave",
    [
        waits_after(b""),
        waits_after(b"HTTP/1.1 200 OK\r\n"),
        waits_after(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"),
        drips(b"", b"H"),
        drips(b"HTTP/1.1 200 OK\r\nA: ", b"a"),
        drips(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    ],
)
def test_whoever_takes_longer_than_the_deadline_has_not_answered(behave: Behaviour) -> None:
    answer = answered(behave, SHORT)
    assert (answer.status, answer.problem) == (None, f"no answer within {SHORT} s")
    assert SHORT <= answer.seconds < LONG


def test_whoever_reads_slowly_is_cut_off_too() -> None:
    enough = threading.Event()

    def read_slowly(connection: socket.socket) -> None:
        while connection.recv(1) and not enough.wait(PAUSE_SECONDS):
            pass

    with receiver(reading_itself(read_slowly)) as running:
        answer = send(running, SHORT, bytes(64_000_000))
        enough.set()
    assert answer.problem == f"no answer within {SHORT} s"
    assert SHORT <= answer.seconds < LONG


def test_an_answer_counts_that_came_before_all_was_sent() -> None:
    def answer_and_close(connection: socket.socket) -> None:
        connection.sendall(status("413 Too large"))
        connection.recv(1)

    with receiver(reading_itself(answer_and_close)) as running:
        assert send(running, body=bytes(16_000_000)).problem == "answered 413"


def test_whoever_accepts_no_connection_has_the_same_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        for _ in range(8):  # more than wait in its queue
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        answer = post(url, {}, b"{}", HERE, SHORT)
    assert answer.problem == f"no answer within {SHORT} s"
    assert SHORT <= answer.seconds < LONG


def test_a_port_that_nobody_listens_on_takes_no_connections() -> None:
    with receiver(says(OK)) as gone:
        pass
    assert send(gone).problem == "it takes no connections"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (" 7 ", 7),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(text: str, seconds: int) -> None:
    answer = answered(says(status("503 Later", f"Retry-After: {text}")))
    assert (answer.problem, answer.retry_after) == ("answered 503", seconds)


def test_retry_after_may_be_a_date_to_come() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    answer = answered(says(status("503 Later", f"Retry-After: {until}")))
    assert answer.retry_after is not None
    assert 3600 - LONG < answer.retry_after <= 3600


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1.5", "1e3", "nan", f"Mon, 1 Jan {10**20} 0:0:0 GMT"]
)
def test_another_retry_after_is_none(text: str) -> None:
    answer = answered(says(status("429 Slowly", f"Retry-After: {text}")))
    assert (answer.status, answer.retry_after) == (429, None)
