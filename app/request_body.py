"""Read the body of a request whole, within the limit, and refuse one that was cut off."""

from __future__ import annotations

from contextlib import suppress

from flask import request
from werkzeug.exceptions import ClientDisconnected, LengthRequired, RequestEntityTooLarge

PIECE_BYTES = 65_536
DISCARDED_BYTES = 67_108_864
"""How much of a body that is too large is read away, so that its sender gets to the answer."""
CANNOT_TELL_CUT_CHUNKS = ("granian",)
"""Servers that hand over a chunked body that was cut off as if it were whole."""


def read(limit: int) -> bytes:
    """Return the whole body, of `limit` bytes at most.

    The bytes are counted: servers end a body that was cut off like a whole one. Raises
    RequestEntityTooLarge, ClientDisconnected for a body that ends too early or is broken, and
    LengthRequired for a chunked one where the server cannot tell whether it is whole.
    """
    length = request.content_length
    chunked = "HTTP_TRANSFER_ENCODING" in request.environ
    if length is None and not chunked:
        return b""
    if chunked and _server() in CANNOT_TELL_CUT_CHUNKS:
        raise LengthRequired
    if length is not None and length > limit:
        _discard()
        raise RequestEntityTooLarge
    body = bytearray()
    while piece := _next_piece(limit + 1 - len(body)):
        body += piece
    if len(body) > limit:
        _discard()
        raise RequestEntityTooLarge
    if length is not None and len(body) < length:
        raise ClientDisconnected
    return bytes(body)


def _next_piece(most: int) -> bytes:
    try:
        return bytes(request.environ["wsgi.input"].read(min(most, PIECE_BYTES)))
    except Exception as problem:  # each server has errors of its own for broken chunks
        raise ClientDisconnected from problem


def _discard() -> None:
    left = DISCARDED_BYTES
    with suppress(ClientDisconnected):  # the sender may be gone
        while left > 0 and (piece := _next_piece(left)):
            left -= len(piece)


def _server() -> str:
    return str(request.environ.get("SERVER_SOFTWARE", "")).partition("/")[0].lower()
