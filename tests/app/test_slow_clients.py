"""How long the server waits for whom: slow heads, slow bodies, connections that say nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from models.coupons import Coupon
from tests.concurrency.clients import bound_store
from tests.credentials import QUERY
from tests.serving import Server, served

VERSION = f"{QUERY}&call=getHostBillversion"
REQUEST_SECONDS = 2
THREADS = 8
TIMEOUT = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve an empty store to all tests here: none of them may change it."""
    folder = tmp_path_factory.mktemp("served")
    seconds = {"PROMOBRIDGE_REQUEST_SECONDS": str(REQUEST_SECONDS)}
    with bound_store(folder), served(folder, **seconds) as server:
        yield server


@contextmanager
def trickling(server: Server, begin: bytes, piece: bytes) -> Iterator[socket.socket]:
    """Send a beginning, then a piece five times a second until the server has enough of it."""
    ended = threading.Event()

    def send() -> None:
        try:
            while not ended.wait(0.2):
                connection.sendall(piece)
        except OSError:
            return

    with socket.create_connection(server.address, TIMEOUT) as connection:
        connection.sendall(begin)
        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield connection
        finally:
            ended.set()
            thread.join()


def received(connection: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def call_seconds(server: Server) -> float:
    began = time.monotonic()
    assert server.get(VERSION).value["success"]
    return time.monotonic() - began


@pytest.mark.parametrize("piece", [b"X-More: x\r\n", b"x"])
def test_a_head_that_trickles_in_is_given_up(server: Server, piece: bytes) -> None:
    began = time.monotonic()
    with trickling(server, f"GET /api.php?{VERSION} HTTP/1.1\r\nX: ".encode(), piece) as slow:
        assert received(slow) == b""
    assert REQUEST_SECONDS * 0.9 < time.monotonic() - began < REQUEST_SECONDS + 5


@pytest.mark.parametrize("length", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_a_body_that_trickles_in_is_given_up_and_does_nothing(server: Server, length: str) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    head = f"POST /api.php HTTP/1.1\r\nHost: test\r\n{form}\r\n{length}\r\n\r\n".encode()
    body = f"{QUERY}&call=addPromoCode&coupon_type=cart&type=fixed&value=5&code=SLOW".encode()
    if "chunked" in length:
        begin, piece = b"%x\r\n%s\r\n" % (len(body), body), b"1\r\nX\r\n"
    else:
        begin, piece = body, b"X"
    began = time.monotonic()
    with trickling(server, head + begin, piece) as slow:
        assert b'"success":true' not in received(slow)
    assert REQUEST_SECONDS * 0.9 < time.monotonic() - began < REQUEST_SECONDS + 10
    assert Coupon.select().count() == 0
    assert call_seconds(server) < 5


def test_as_many_slow_clients_as_threads_hold_others_no_longer_than_the_limit(
    server: Server,
) -> None:
    with ExitStack() as slow:
        for _ in range(THREADS):
            slow.enter_context(trickling(server, b"GET /api.php HTTP/1.1\r\nX: ", b"x"))
        assert call_seconds(server) < REQUEST_SECONDS + 3


def test_connections_that_say_nothing_hold_nobody_and_are_closed(server: Server) -> None:
    with ExitStack() as silent:
        connections = [
            silent.enter_context(socket.create_connection(server.address, TIMEOUT))
            for _ in range(200)
        ]
        assert max(call_seconds(server) for _ in range(10)) < 2
        assert {received(connection) for connection in connections} == {b""}
    assert call_seconds(server) < 2


def test_a_connection_that_is_late_is_served(server: Server) -> None:
    with socket.create_connection(server.address, TIMEOUT) as late:
        time.sleep(0.5)  # silence is what is tested
        late.sendall(f"GET /api.php?{VERSION} HTTP/1.1\r\n".encode())
        time.sleep(0.1)
        late.sendall(b"Host: test\r\nConnection: close\r\n\r\n")
        assert b'"success":true' in received(late)
