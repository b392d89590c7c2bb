"""Give every answer its request's id and count it, around the dispatcher."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, g

from app import logs, metrics

HEADER = "X-Request-Id"


class RequestIds:
    """Hold the id in flask.g. One that came along is kept only where a trusted proxy stands."""

    def __init__(self, flask: Flask, app: WSGIApplication, proxy_count: int) -> None:
        self.flask = flask
        self.app = app
        self.proxied = proxy_count > 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on and put its id into the answer's headers."""
        name = logs.new_request_id(environ.get("HTTP_X_REQUEST_ID", "") if self.proxied else "")

        def start(status: str, headers: list[tuple[str, str]], *problem: Any) -> Any:
            metrics.answered(status[:3])
            headers.append((HEADER, name))
            return start_response(status, headers, *problem)

        with self.flask.app_context():
            g.request_id = name
            return self.app(environ, start)
