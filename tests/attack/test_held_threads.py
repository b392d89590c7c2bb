"""Whoever sends or takes nothing, behind nginx: neighbours go on being answered at once."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median

import pytest

from models.promotions import batch_life
from models.promotions.terms import Terms
from tests.credentials import QUERY
from tests.nginx_site import HOST, Site, put_up
from tests.waiting import wait_until

NEIGHBOUR, ATTACKER = "127.0.0.2", "127.0.0.3"
CALL = f"/api.php?{QUERY}&call=getHostBillversion"
LARGE = f"/api.php?{QUERY}&call=listPromoBatches"
COUPONS = 30_000
"""So many that their list, some 18 MB, is more than the buffers of two sockets hold."""
SMALL_WINDOW = 4096
READERS = 12
ASKED = 10
"""How often the neighbour calls meanwhile."""
HEAD = f"POST /api.php HTTP/1.1\r\nHost: {HOST}\r\n".encode()
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, END_HEADERS = 4, 1, 4
Attack = Callable[[Site, ExitStack], None]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the site in front of two workers of four threads, with a large batch in the store."""
    with put_up(tmp_path_factory.mktemp("site")) as site:
        batch_life.make("Large", Terms.of(coupon_type="cart", type="percent", value=1), COUPONS)
        yield site


def held(sent: bytes, half_closed: bool = False) -> Attack:
    """Return the attack that sends this much and then nothing more."""

    def attack(site: Site, stack: ExitStack) -> None:
        connection = stack.enter_context(site.connected(ATTACKER))
        connection.sendall(sent)
        if half_closed:
            connection.shutdown(socket.SHUT_WR)

    return attack


def gone(site: Site, stack: ExitStack) -> None:
    """Ask, and leave before the answer comes."""
    with site.connected(NEIGHBOUR) as connection:
        connection.sendall(f"GET {CALL} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())


def not_read(site: Site, stack: ExitStack) -> None:
    """Ask for much, and read nothing of it."""
    connection = stack.enter_context(site.connected(NEIGHBOUR, window=SMALL_WINDOW))
    connection.sendall(f"GET {LARGE} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())


def open_streams(site: Site, stack: ExitStack) -> None:
    """Open streams of HTTP/2 that announce a body."""
    connection = stack.enter_context(site.connected(ATTACKER, protocol="h2"))
    assert connection.selected_alpn_protocol() == "h2"
    # Fields of the static table of RFC 7541: :method POST, :scheme https; then four spelt out.
    block = b"\x83\x87" + b"".join(
        name + bytes([len(value)]) + value
        for name, value in (
            (b"\x04", b"/api.php"),
            (b"\x01", HOST.encode()),
            (b"\x0f\x0d", b"1000"),  # content-length
        )
    )
    streams = b"".join(_frame(HEADERS, END_HEADERS, stream, block) for stream in range(1, 32, 2))
    connection.sendall(PREFACE + _frame(SETTINGS, 0, 0, b"") + streams)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(held(HEAD + b"Content-Length: 1000\r\n\r\n"), id="a_body_that_never_comes"),
        pytest.param(
            held(HEAD + b"Content-Length: 1000\r\n\r\nx", half_closed=True),
            id="half_closed_in_a_body",
        ),
        pytest.param(held(HEAD + b"Conte", half_closed=True), id="half_closed_in_a_header"),
        pytest.param(held(HEAD + b"Conte"), id="a_header_that_never_ends"),
        pytest.param(held(b""), id="not_a_word"),
        pytest.param(
            held(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"), id="chunks_without_end"
        ),
        pytest.param(open_streams, id="streams_that_are_left"),
        pytest.param(gone, id="clients_that_leave"),
    ],
)
def test_connections_that_send_nothing_hold_no_neighbour(site: Site, attack: Attack) -> None:
    with ExitStack() as stack:
        for more in (8, 64 - 8):
            for _ in range(more):
                attack(site, stack)
            assert_neighbour_is_answered(site)


def test_an_answer_that_nobody_reads_holds_no_neighbour(site: Site) -> None:
    def answered() -> int:
        return site.server.log().count('"GET /api.php')

    before = answered()
    with ExitStack() as stack:
        for _ in range(READERS):
            not_read(site, stack)
        # To make such an answer takes what it takes; then nobody holds a thread that sends it.
        wait_until(lambda: answered() == before + READERS)
        assert_neighbour_is_answered(site)


def assert_neighbour_is_answered(site: Site) -> None:
    waits = []
    for _ in range(ASKED):
        begun = time.monotonic()
        assert site.value(CALL, source=NEIGHBOUR)["success"] is True
        waits.append(time.monotonic() - begun)
    assert median(waits) < 1  # held threads stay held: every call would wait
