"""Flask's error handlers: each dialect answers a failure in its own envelope, route or no route."""

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
    **dict.fromkeys(AWAY, "store_away"),
    Exception: "broken",
}
"""The function of a dialect that answers each kind of failure."""


def init_app(app: Flask) -> None:
    """Register the handlers."""
    for kind, name in ANSWERS.items():
        app.register_error_handler(kind, partial(_answer, name))


def _answer(name: str, problem: Exception) -> Any:
    """Note what went wrong, and answer it in the dialect of the path."""
    if "record" in g:
        g.record.fail(problem)
    return getattr(rest if rest.serves(request.path) else legacy, name)(problem)
