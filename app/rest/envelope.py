"""The envelope of the REST API and its error responses."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed

from app import logs
from app.limits import TooMany
from models.store.errors import Invalid, NotFound, OverQuota, PromoError
from models.store.idempotency import KeyReused

ROOT = "/v1"
JSON_TYPE = "application/json"
NO_STORE = "no-store"
"""The Cache-Control of answers: codes are shown once."""
INVALID = "Invalid request body"
KEY_REUSED = "Idempotency-Key was used with other parameters"
RETRY_SECONDS = 5
"""The Retry-After of a store that is away or of a code that is being changed."""
KEYS = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_unsupported",
}
"""The stable keys of HTTP errors."""
log = logging.getLogger(__name__)

Errors = Mapping[str, Sequence[str]]


def serves(path: str) -> bool:
    """Tell whether a path belongs to this API, be there a route or not."""
    return path == ROOT or path.startswith(f"{ROOT}/")


@dataclass(eq=False)
class Failure(Exception):
    """Refuse a request: with a stable key, messages by field, and the seconds to wait."""

    status: int
    message: str
    key: str
    errors: Errors | None = None
    retry_after: int | None = None

    @classmethod
    def invalid(cls, errors: Errors) -> Failure:
        """Return the failure of a request whose fields are wrong."""
        return cls(400, INVALID, KEYS[400], errors)

    @classmethod
    def of(cls, problem: PromoError) -> Failure:
        """Return the failure for a refusal by the store."""
        if isinstance(problem, Invalid):
            return cls.invalid({"body": [problem.sentence]})
        if isinstance(problem, KeyReused):
            return cls(422, KEY_REUSED, "idempotency_key_reused")
        if problem.key == "busy":
            return cls(503, problem.sentence, "busy", retry_after=RETRY_SECONDS)
        if isinstance(problem, OverQuota):
            return cls(429, problem.sentence, problem.key, retry_after=problem.seconds)
        status = 404 if isinstance(problem, NotFound) else 409
        return cls(status, problem.sentence, problem.key)


class EnvelopeJson(DefaultJSONProvider):
    """Let `jsonify`, which flask-smorest answers with, keep keys in order and text as it is."""

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a value as JSON without blanks, escapes of letters and a last line end."""
        text = json.dumps(*args, ensure_ascii=False, separators=(",", ":"))
        return Response(text, content_type=JSON_TYPE)


def success(data: Any) -> dict[str, Any]:
    """Return the envelope of data: {"status": "success", "data": {…}}."""
    return {"status": "success", "data": data}


def failure(problem: Failure) -> Response:
    """Return the error response of a failure.

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
    response = jsonify(body)
    response.status_code = problem.status
    response.headers["Cache-Control"] = NO_STORE  # also where no route was found
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def http_failure(problem: HTTPException) -> Response:
    """Return the error response of an HTTP error."""
    if isinstance(problem, ClientDisconnected):
        return failure(Failure.invalid({"body": ["ends too early"]}))
    status = problem.code or 500
    response = failure(Failure(status, problem.name, KEYS.get(status, "refused")))
    if isinstance(problem, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(problem.valid_methods or ()))
    return response


def too_many(problem: TooMany) -> Response:
    """Return the error response of a caller over its limits."""
    key = "too_many_requests"
    return failure(Failure(429, "Too many requests", key, retry_after=problem.seconds))


def store_unavailable(problem: Exception) -> Response:
    """Return the error response of a store that cannot be reached."""
    log.error("The store cannot be reached: %s", type(problem).__name__)
    sentence = "The store cannot be reached, try again later"
    return failure(Failure(503, sentence, "store_unavailable", retry_after=RETRY_SECONDS))


def internal_error(problem: Exception) -> Response:
    """Return the error response of an internal error; log where it was raised, but no values."""
    log.error("A request failed: %s", logs.place(problem))
    return failure(Failure(503, "Internal error", "internal_error"))
