"""The headers that keep browsers from doing with an answer what they should not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SECURITY = (
    ("X-Content-Type-Options", "nosniff"),  # JSON with a customer's text in it is no page
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Frame-Options", "DENY"),  # the same for browsers that do not know frame-ancestors
    ("Referrer-Policy", "no-referrer"),  # credentials travel in query strings
    ("Cache-Control", "private, no-cache"),  # nobody but the client keeps it; an ETag still works
)
"""On every answer that does not say otherwise."""
_BY_NAME = [(header[0].lower(), header) for header in SECURITY]
AS_BYTES = "".join(f"{name}: {value}\r\n" for name, value in SECURITY).encode()


class SecurityHeaders:
    """Add the headers to the answers of an application, unless it set them itself."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, and its answer with the headers."""

        def start(status: str, headers: list[tuple[str, str]], *failure: Any) -> Any:
            said = {name.lower() for name, _ in headers}
            headers += [header for name, header in _BY_NAME if name not in said]
            return start_response(status, headers, *failure)

        return self.app(environ, start)
