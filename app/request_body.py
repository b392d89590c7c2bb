"""Read the body of a request, within a limit, and refuse one that was cut off."""

from __future__ import annotations

from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO

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
    body = begin(limit)
    if len(body) > limit:
        refuse_rest()
    return body


def begin(limit: int) -> bytes:
    """Return the whole body, or where it is longer its first `limit` + 1 bytes.

    Raises ClientDisconnected and LengthRequired, as `read` does.
    """
    length = request.content_length
    chunked = "HTTP_TRANSFER_ENCODING" in request.environ
    if length is None and not chunked:
        return b""
    if chunked and _server() in CANNOT_TELL_CUT_CHUNKS:
        raise LengthRequired
    body = bytearray()
    while piece := _next_piece(limit + 1 - len(body)):
        body += piece
    if length is not None and len(body) < min(length, limit + 1):
        raise ClientDisconnected
    return bytes(body)


def spool(begun: bytes, limit: int) -> IO[bytes]:
    """Return a file without a name that holds what `begin` brought, and the rest of the body.

    Its position is its end. Raises RequestEntityTooLarge over `limit` bytes, ClientDisconnected
    for a body that ends too early, and OSError where the disk is full.
    """
    length = request.content_length
    if length is not None and length > limit:
        refuse_rest()
    file = TemporaryFile()  # noqa: SIM115  # it is closed with the answer
    try:
        size = file.write(begun)
        while size <= limit and (piece := _next_piece(limit + 1 - size)):
            size += file.write(piece)
        if size > limit:
            refuse_rest()
        if length is not None and size < length:
            raise ClientDisconnected
    except BaseException:
        file.close()
        raise
    return file


def refuse_rest() -> None:
    """Read the rest of a body away and raise RequestEntityTooLarge."""
    discard()
    raise RequestEntityTooLarge


def discard() -> None:
    """Read the rest of a body away, so much as that its sender gets to the answer."""
    left = DISCARDED_BYTES
    with suppress(ClientDisconnected):  # the sender may be gone
        while left > 0 and (piece := _next_piece(left)):
            left -= len(piece)


def _next_piece(most: int) -> bytes:
    try:
        return bytes(request.environ["wsgi.input"].read(min(most, PIECE_BYTES)))
    except Exception as problem:  # each server has errors of its own for broken chunks
        raise ClientDisconnected from problem


def _server() -> str:
    return str(request.environ.get("SERVER_SOFTWARE", "")).partition("/")[0].lower()
