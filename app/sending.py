"""How the body of an answer is handed to the server: whole, or as it is made."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from calls import php
from calls.packing import Fragment
from models.base import database

TAKES_PIECES = "promobridge.takes_pieces"
"""A WSGI variable of servers that send any number of pieces at once from where they are."""
WHOLE_BYTES = 1_048_576
"""Bodies up to this size are sent whole, larger ones as they are made."""
KEPT_BYTES = 16_777_216
"""The same for bodies of which only so much is made: the rest are kept fragments."""
FEW_PIECES = 8
"""Up to so many pieces of a body of up to WHOLE_BYTES are sent as they are."""


class Reply(NamedTuple):
    """Hold an answer: the pieces of its body, or what makes them one after the other."""

    pieces: list[bytes]
    rest: Generator[bytes, None, None] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    status: str = "200 OK"


class Streamed:
    """Send a body as it is made, then let go of the store: it is read from until then."""

    def __init__(self, rest: Generator[bytes, None, None]) -> None:
        self.rest = rest

    def __iter__(self) -> Iterator[bytes]:
        return self.rest

    def close(self) -> None:
        self.rest.close()  # the client may have gone: what it is read in ends before its connection
        database.rest()


def begun(pieces: Iterable[bytes], *headers: tuple[str, str], takes_pieces: bool) -> Reply:
    """Return a reply of these pieces, made as far as they are sent at once.

    What is large and kept is sent from where it is by a server that `takes_pieces`: a copy costs
    as much as finding it.
    """
    rest = iter(pieces)
    held = []
    size = made = 0
    for piece in rest:
        held.append(piece)
        size += len(piece)
        if not (takes_pieces and isinstance(piece, Fragment)):
            made += len(piece)
        if made > WHOLE_BYTES or size > KEPT_BYTES:
            return Reply([], php.gathered(chain(held, rest)), headers)
    if size <= WHOLE_BYTES and len(held) > FEW_PIECES:
        held = [b"".join(held)]
    return Reply(held, None, headers)
