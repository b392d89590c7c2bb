"""Bodies of requests, read whole within the limit."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

DRAINED_BYTES = 67_108_864
"""How much of a body that is too large is read away, so that its sender gets to the answer."""


def whole(environ: WSGIEnvironment, limit: int) -> bytes:
    """Return the whole body, of `limit` bytes at most.

    Raises RequestEntityTooLarge, and ClientDisconnected for one that ends too early.
    """
    if "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    asked = Request(environ)
    asked.max_content_length = limit
    body = asked.get_data(cache=False)
    # Werkzeug cuts a body without a Content-Length at the limit and says nothing.
    if len(body) == limit and environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return body


def drain(problem: Exception, environ: WSGIEnvironment) -> None:
    """Read the rest of a body away, up to a bound, if it was refused as too large."""
    if not isinstance(problem, RequestEntityTooLarge):
        return
    stream = environ["wsgi.input"]
    left = DRAINED_BYTES
    with suppress(OSError):  # the sender may be gone
        while left > 0 and (piece := stream.read(min(left, 65536))):
            left -= len(piece)
