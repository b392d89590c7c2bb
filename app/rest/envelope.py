"""The only maker of this face's envelope, and what every failure looks like in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed

from app import faults
from app.limits import TooMany
from models.store.errors import Conflict, Invalid, NotFound, PromoError

JSON_TYPE = "application/json"
INVALID = "Invalid request body"
RETRY_SECONDS = 5
"""When to come back to a store that is away or to a code that is being changed."""
KEYS = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_unsupported",
}
"""The stable keys of what HTTP itself refuses."""
log = logging.getLogger(__name__)

Errors = Mapping[str, Sequence[str]]


class Failure(Exception):
    """Carry a refusal to its client: a status, a message, a stable key, and field errors."""

    def __init__(
        self,
        status: int,
        message: str,
        key: str,
        errors: Errors | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.key = key
        self.errors = errors
        self.headers = headers or {}

    @classmethod
    def invalid(cls, errors: Errors) -> Failure:
        """Return the refusal of a request whose fields are wrong."""
        return cls(400, INVALID, KEYS[400], errors)

    @classmethod
    def of(cls, problem: PromoError) -> Failure:
        """Return what a refusal of the store is over HTTP."""
        if isinstance(problem, Invalid):
            return cls.invalid({"body": [problem.sentence]})
        if problem.key == "busy":
            return cls(503, problem.sentence, "busy", headers={"Retry-After": str(RETRY_SECONDS)})
        status = {NotFound: 404, Conflict: 409}.get(_kind(problem), 409)
        return cls(status, problem.sentence, problem.key)


def success(data: Any) -> bytes:
    """Return the body of an answer: {"status": "success", "data": {…}}."""
    return encoded({"status": "success", "data": data})


def failure(problem: Failure) -> Response:
    """Return the answer that says what went wrong.

    {"message": "…", "code": 400, "status": "error", "error": "…", "errors": {"field": ["…"]}}
    """
    body: dict[str, Any] = {
        "message": problem.message,
        "code": problem.status,
        "status": "error",
        "error": problem.key,
    }
    if problem.errors is not None:
        body["errors"] = problem.errors
    answer = Response(encoded(body), status=problem.status, content_type=JSON_TYPE)
    answer.headers.extend(problem.headers)
    return answer


def encoded(value: Any) -> bytes:
    """Return JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def http_failure(problem: HTTPException) -> Response:
    """Return the envelope for an error of HTTP itself."""
    if isinstance(problem, ClientDisconnected):
        return failure(Failure.invalid({"body": ["ends too early"]}))
    status = problem.code or 500
    answer = failure(Failure(status, problem.name, KEYS.get(status, "refused")))
    if isinstance(problem, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(problem.valid_methods or ()))
    return answer


def too_many(problem: TooMany) -> Response:
    """Return the envelope for a caller over its limits."""
    wait = {"Retry-After": str(problem.seconds)}
    return failure(Failure(429, "Too many requests", "too_many_requests", headers=wait))


def store_away(problem: Exception) -> Response:
    """Return the envelope for a store that cannot be reached."""
    log.error("The store cannot be reached: %s", type(problem).__name__)
    return failure(
        Failure(
            503,
            "The store cannot be reached, try again later",
            "store_unavailable",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    )


def broken(problem: Exception) -> Response:
    """Return the envelope for a fault of ours; the log gets the place, not the values."""
    log.error("A request failed: %s", faults.place(problem))
    return failure(Failure(503, "Internal error", "internal_error"))


def _kind(problem: PromoError) -> type[PromoError]:
    return next(kind for kind in (NotFound, Conflict, PromoError) if isinstance(problem, kind))
