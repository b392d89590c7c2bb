"""What a client says of the answer it wants: packed or plain, and only if it has changed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from werkzeug.http import parse_accept_header, parse_etags

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

KEPT = 64
"""How many values of Accept-Encoding are remembered; clients send one of a few."""


def takes_gzip(environ: WSGIEnvironment) -> bool:
    """Tell whether the client asks for gzip; one that says nothing may not understand it."""
    said = environ.get("HTTP_ACCEPT_ENCODING", "")
    return bool(said) and _names_gzip(said)


def has_already(environ: WSGIEnvironment, tag: str) -> bool:
    """Tell whether the client holds the answer with this tag, whatever it is weak about."""
    held = environ.get("HTTP_IF_NONE_MATCH", "")
    if not held or environ["REQUEST_METHOD"] != "GET":
        return False
    return parse_etags(held).contains_weak(tag)


@lru_cache(maxsize=KEPT)
def _names_gzip(said: str) -> bool:
    return parse_accept_header(said).quality("gzip") > 0
