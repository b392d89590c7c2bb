"""Large answers: sent whole from where they are kept, or as they are made; the same bytes."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from app import sending
from calls.packing import Fragment
from models import batches, generation
from models.terms import Terms
from tests.app.test_negotiation import timeless
from tests.concurrency.clients import bound_store
from tests.credentials import QUERY
from tests.serving import Server, served

LIST = f"/api.php?{QUERY}&call=listPromoBatches"
BATCHES, CODES = 3, 1400
"""Each is under a 64th of the cache, so that it is kept, and all of them are over WHOLE_BYTES."""
LARGE = b"x" * (sending.WHOLE_BYTES // 2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("store")
    with bound_store(folder):
        for number in range(BATCHES):
            batch = batches.add(f"Batch {number}", Terms.of(value=number + 1), requested=CODES)
            generation.fill(batch, lambda _: None)
        with served(folder) as running:
            yield running


def ask(server: Server, version: str) -> tuple[bytes, bytes]:
    """Return the head and the body of the page as they come."""
    with socket.create_connection(server.address, timeout=30) as connection:
        request = f"GET {LIST} HTTP/{version}\r\nHost: test\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    return head.lower(), body


def test_a_large_page_is_the_same_whole_and_in_pieces(server: Server) -> None:
    # Of HTTP/1.0 gunicorn takes care, whose server sends piece by piece.
    streamed_head, streamed = ask(server, "1.0")
    assert b"content-length" not in streamed_head
    assert len(streamed) > sending.WHOLE_BYTES
    for _ in range(2):
        head, body = ask(server, "1.1")
        assert f"content-length: {len(body)}".encode() in head
        assert timeless(body) == timeless(streamed)


@pytest.mark.parametrize(
    ("pieces", "takes_pieces", "sent"),
    [
        ([b"a", b"b"], True, [b"a", b"b"]),
        ([b"a"] * 9, True, [b"a" * 9]),
        ([Fragment(b"a")] * 9, True, [b"a" * 9]),
        ([Fragment(LARGE), b","] * 9, True, [LARGE, b","] * 9),
        ([Fragment(LARGE), b","] * 9, False, None),
        ([LARGE, b","] * 2 + [b"!"], True, None),
        ([Fragment(LARGE)] * 40, True, None),
    ],
)
def test_what_is_kept_is_sent_from_where_it_is(
    pieces: list[bytes], takes_pieces: bool, sent: list[bytes] | None
) -> None:
    reply = sending.begun(iter(pieces), ("X-A", "b"), takes_pieces=takes_pieces)
    assert reply.headers == (("X-A", "b"),)
    if sent is None:
        assert reply.rest is not None
        assert reply.pieces == []
        assert b"".join(reply.rest) == b"".join(pieces)
    else:
        assert reply.rest is None
        assert reply.pieces == sent
