"""Which face answers a failure: each path has one, and a failure may come before any route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request
from werkzeug.wrappers import Response

from app import bodies, rpc
from app.rest import envelope, serves


def by_face(name: str) -> Callable[[Any], Response]:
    """Return an error handler that lets the face of the path answer with its function `name`."""

    def answer(problem: Any) -> Response:
        bodies.drain(problem, request.environ)
        face: Any = envelope if serves(request.path) else rpc
        return face.__dict__[name](problem)

    return answer
