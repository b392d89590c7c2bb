"""Flask's error handlers: each API answers errors in its own envelope, route or no route."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from app.legacy import failures as legacy
from app.limits import TooMany
from app.rest import envelope as rest
from models.store.errors import AWAY


def init_app(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(HTTPException, http_failure)
    app.register_error_handler(TooMany, too_many)
    for away in AWAY:
        app.register_error_handler(away, store_unavailable)
    app.register_error_handler(Exception, internal_error)


def http_failure(problem: HTTPException) -> Response:
    """Answer an HTTP error."""
    return _api(problem).http_failure(problem)


def too_many(problem: TooMany) -> Response:
    """Answer a caller over its limits."""
    return _api(problem).too_many(problem)


def store_unavailable(problem: Exception) -> Response:
    """Answer while the store cannot be reached."""
    return _api(problem).store_unavailable(problem)


def internal_error(problem: Exception) -> Response:
    """Answer an internal error."""
    return _api(problem).internal_error(problem)


def _api(problem: Exception) -> Any:
    """Return the module that answers errors of this path, and log the error."""
    if "record" in g:
        g.record.fail(problem)
    return rest if rest.serves(request.path) else legacy
