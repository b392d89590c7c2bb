"""The paths for those who run the server: /healthz, /readyz and /metrics, in front of Flask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from app import health, metrics
from models.accesses import admits

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from app.config import Settings

METHODS = ("GET", "HEAD")


class Answer(NamedTuple):
    """Hold an answer."""

    status: str
    body: bytes
    content_type: str = "application/json"


class Operations:
    """Answer these paths, without credentials and outside the API usage log."""

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        self.app = app
        self._rules = settings.metrics_from.split()
        self._proxied = settings.proxy_count > 0
        self._answers: dict[str, Callable[[WSGIEnvironment], Answer]] = {
            "/healthz": healthy,
            "/readyz": ready,
            "/metrics": self._metrics,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, or pass the request on."""
        answers = self._answers.get(environ["PATH_INFO"])
        if answers is None:
            return self.app(environ, start_response)
        method = environ["REQUEST_METHOD"]
        answer = answers(environ) if method in METHODS else _said("405 Method Not Allowed")
        headers = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            ("Cache-Control", "no-store"),
        ]
        if method not in METHODS:
            headers.append(("Allow", ", ".join(METHODS)))
        start_response(answer.status, headers)
        return [b"" if method == "HEAD" else answer.body]

    def _metrics(self, environ: WSGIEnvironment) -> Answer:
        address = environ.get("REMOTE_ADDR", "")
        # Behind a proxy that no setting announces, everybody has the proxy's own address.
        unannounced = not self._proxied and "HTTP_X_FORWARDED_FOR" in environ
        if unannounced or not any(admits(rule, address) for rule in self._rules):
            return _said("403 Forbidden", "This address may not read metrics")
        text, content_type = metrics.exposition()
        return Answer("200 OK", text, content_type)


def healthy(environ: WSGIEnvironment) -> Answer:
    """Say that this process answers; nothing else is touched."""
    return _said("200 OK")


def ready(environ: WSGIEnvironment) -> Answer:
    """Say whether the store can be reached and has the schema of this version."""
    reason = health.not_ready()
    return _said("503 Service Unavailable", reason) if reason else _said("200 OK")


def _said(status: str, reason: str = "") -> Answer:
    said = {"status": "ok" if status.startswith("200") else "error"}
    return Answer(status, json.dumps(said | ({"reason": reason} if reason else {})).encode())
