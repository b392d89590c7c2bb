"""Flask's error handlers: each API answers errors in its own envelope, route or no route."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Flask, g, request
from werkzeug.exceptions import HTTPException

from app.legacy import failures as legacy
from app.limits import TooMany
from app.rest import envelope as rest
from models.store.errors import AWAY

ANSWERS: dict[type[Exception], str] = {
    HTTPException: "http_failure",
    TooMany: "too_many",
    **dict.fromkeys(AWAY, "store_unavailable"),
    Exception: "internal_error",
}
"""The function of each API that answers an error of a kind."""


def init_app(app: Flask) -> None:
    """Register the handlers."""
    for kind, name in ANSWERS.items():
        app.register_error_handler(kind, partial(_answer, name))


def _answer(name: str, problem: Exception) -> Any:
    """Log the error, and answer it as the API of the path does."""
    if "record" in g:
        g.record.fail(problem)
    return getattr(rest if rest.serves(request.path) else legacy, name)(problem)
