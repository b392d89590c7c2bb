"""Error responses of the legacy API."""

from __future__ import annotations

import logging

from flask import Response
from werkzeug.exceptions import HTTPException

from app import logs
from app.limits import TooMany
from calls import envelope, php

JSON_TYPE = "application/json; charset=UTF-8"
log = logging.getLogger(__name__)


def failure(name: str, *messages: str, status: int = 200) -> Response:
    """Return an answer that says what went wrong; the HTTP status is 200 but for a few."""
    body = php.encode(envelope(False, {}, name, error=list(messages)))
    return Response(body, status=status, content_type=JSON_TYPE)


def http_failure(problem: HTTPException) -> Response:
    """Return the envelope for an HTTP error: 404, 405, 411, 413."""
    answer = failure("", problem.name, status=problem.code or 404)
    for header, value in problem.get_headers():
        if header == "Allow":
            answer.headers[header] = value
    return answer


def too_many(problem: TooMany, name: str = "") -> Response:
    """Return the envelope for a caller over its limits."""
    answer = failure(name, problem.sentence, status=429)
    answer.headers["Retry-After"] = str(problem.seconds)
    return answer


def store_unavailable(problem: Exception) -> Response:
    """Return the envelope for a store that cannot be reached."""
    log.error("The store cannot be reached: %s", type(problem).__name__)
    return failure("", "The store cannot be reached, try again later", status=503)


def internal_error(problem: Exception) -> Response:
    """Return the envelope for an internal error; log where it was raised, but no values."""
    log.error("A request failed: %s", logs.place(problem))
    return failure("", "Internal error", status=503)
