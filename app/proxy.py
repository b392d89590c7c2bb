"""WSGI middleware that sets the client's address and scheme behind reverse proxies.

Werkzeug's ProxyFix reads the header as a list of quoted strings: one stray quote sent by a client
(`"a, 1.2.3.4`) makes it drop the list and leaves the proxy's own address standing as the client's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class ForwardedFor:
    """Read the client's address from X-Forwarded-For, as far as `proxy_count` proxies wrote it.

    The scheme is what the nearest proxy says in X-Forwarded-Proto; pages name it in examples.
    """

    def __init__(self, app: WSGIApplication, proxy_count: int) -> None:
        self.app = app
        self.proxy_count = proxy_count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Set REMOTE_ADDR and the scheme, and pass the request on."""
        header = environ.get("HTTP_X_FORWARDED_FOR")
        if header is not None:  # an empty one leaves no address: granian makes it of raw bytes
            written = header.split(",")
            environ["REMOTE_ADDR"] = written[-min(self.proxy_count, len(written))].strip()
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        return self.app(environ, start_response)
