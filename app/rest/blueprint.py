"""The blueprint that all routes of the REST API share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from http import HTTPStatus
from time import perf_counter
from typing import Any

from flask import Response, current_app, g, request
from flask_smorest import Blueprint
from flask_smorest.spec import FlaskPlugin
from marshmallow import RAISE, Schema

from app import db, idempotency, metrics
from app.idempotency import HEADER, KEY_LENGTH
from app.limits import LONGEST_ADDRESS
from app.rest import csv_responses
from app.rest.authentication import authenticate, current_caller
from app.rest.envelope import JSON_TYPE, NO_STORE, ROOT, Failure, failure, success
from app.rest.parsing import StrictParser, read_query, refuse_query
from app.rest.responses import ErrorResponse
from models.access import usage
from models.access.usage import Entry
from models.store import clock
from models.store.errors import PromoError

View = Callable[..., Any]
KEY_PARAMETER = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH},
    "description": "The first answer is kept for 24 hours and given again.",
}
OF_ALL, OF_SECRET, OF_BODY, OF_KEY = (503,), (401, 403, 429), (413, 415), (422,)
"""The statuses of refusals: of every operation, and of those with a secret, a body or a key."""


class RestBlueprint(Blueprint):
    """Register routes under /v1: secret, strict arguments, envelope, metrics, OpenAPI."""

    ARGUMENTS_PARSER = StrictParser()
    # Private by name, but flask-smorest documents this and the next as hooks for an envelope.
    _prepare_response_content = staticmethod(success)

    @staticmethod
    def _make_doc_response_schema(schema: Any) -> Any:
        if not isinstance(schema, Schema):  # CSV
            return schema
        return {
            "type": "object",
            "properties": {"status": {"type": "string", "enum": ["success"]}, "data": schema},
            "required": ["status", "data"],
        }

    def __init__(self, name: str, is_public: bool = False) -> None:
        super().__init__(name, __name__, url_prefix=ROOT)
        self.refusals = refused(OF_ALL if is_public else OF_ALL + OF_SECRET)
        self.before_request(_start_clock)
        if not is_public:
            self.before_request(db.connect)
            self.after_request(db.release_at_end)
            self.before_request(authenticate)
            self.before_request(_answer_head)
            self.before_request(read_query)
            self.after_request(_log)
        self.after_request(_finish)
        self.register_error_handler(Failure, failure)
        self.register_error_handler(PromoError, refused_by_store)

    def operation(
        self, operation_id: str, refusals: Mapping[int, str] | None = None, **more: Any
    ) -> Callable[[View], View]:
        """Describe an operation in OpenAPI: its public id, its own refusals by status."""
        content = {JSON_TYPE: {"schema": ErrorResponse}}
        own = {
            status: {"description": text, "content": content}
            for status, text in (refusals or {}).items()
        }
        return self.doc(operationId=operation_id, responses=self.refusals | own, **more)

    def arguments(
        self, schema: type[Schema], *, location: str = "json", **options: Any
    ) -> Callable[[View], View]:
        """Pass the fields of the body, or of the query, as keyword arguments."""
        loaded = schema()  # one for all requests: to make one costs more than to load
        described = self.doc()
        if location == "json":
            options.setdefault("example", example_of(loaded))
            options["required"] = bool(loaded.validate({}))
            described = self.doc(responses=refused(OF_BODY))
        passed = super().arguments(
            loaded, location=location, as_kwargs=True, error_status_code=400, **options
        )
        if location != "json":
            return lambda view: described(passed(view))
        return lambda view: described(_without_query(loaded, passed(view)))

    def idempotent(self, varies_by_type: bool = False) -> Callable[[View], View]:
        """Give the kept answer again to a request with a known Idempotency-Key.

        Belongs between `arguments` and `response`. With `varies_by_type`, CSV and JSON differ.
        """

        def decorator(view: View) -> View:
            @self.doc(parameters=[KEY_PARAMETER], responses=refused(OF_KEY))
            @wraps(view)
            def wrapper(**arguments: Any) -> Response:
                key = request.headers.get(HEADER)
                if key is None:
                    response: Response = view(**arguments)
                    return response
                if not 1 <= len(key) <= KEY_LENGTH:
                    raise Failure.invalid({HEADER: [f"Is 1 to {KEY_LENGTH} characters."]})
                wants_csv = varies_by_type and csv_responses.is_preferred()
                asked = (request.path, wants_csv, g.json_object)
                return idempotency.rest_once(
                    current_caller.owner, key, asked, lambda: view(**arguments), refused_by_store
                )

            return wrapper

        return decorator


def refused_by_store(refusal: PromoError) -> Response:
    """Return the error response of a refusal by the store."""
    return failure(Failure.of(refusal))


def example_of(schema: Schema) -> dict[str, Any]:
    """Return one JSON object of a schema, made of the examples of its fields."""
    return {str(field.data_key): field.metadata["example"] for field in schema.fields.values()}


def refused(statuses: Iterable[int]) -> dict[int, str]:
    """Return the names under which flask-smorest describes errors, by their statuses."""
    return {status: HTTPStatus(status).name for status in statuses}


def path_template(rule: str) -> str:
    """Return the path of a rule below /v1, as in /campaigns/{slug}/redeem."""
    template: str = FlaskPlugin.flaskpath2openapi(rule)
    return template.removeprefix(ROOT)


def _without_query(schema: Schema, view: View) -> View:
    """Return the view of an operation that reads a body and nothing of the query."""

    @wraps(view)
    def wrapper(*args: Any, **values: Any) -> Any:
        if g.query:
            refuse_query(schema.fields, is_ours=schema.unknown == RAISE)
        return view(*args, **values)

    return wrapper


def _start_clock() -> None:
    g.started = perf_counter()


def _answer_head() -> Response | None:
    """Answer HEAD without running the view, so that it changes nothing."""
    return Response(content_type=JSON_TYPE) if request.method == "HEAD" else None


def _finish(response: Response) -> Response:
    seconds = perf_counter() - g.started
    metrics.ROUTES.labels(*_route(), str(response.status_code)).observe(seconds)
    response.headers.setdefault("Cache-Control", NO_STORE)
    return response


def _log(response: Response) -> Response:
    """Put the request into the usage log: its secret by the id, a refusal by its key."""
    secret_id: int | None = g.get("secret_id")
    entry = Entry(
        clock.now(),
        " ".join(_route()),
        response.get_json()["error"] if response.status_code >= 400 else "",
        "" if secret_id is None else usage.of_secret(secret_id),
        secret_id is not None,
        (request.remote_addr or "")[:LONGEST_ADDRESS],
    )
    current_app.config["USAGE_LOG"].put(entry)
    return response


def _route() -> tuple[str, str]:
    """Return the method and the path's template of this request; HEAD counts as GET."""
    method = "GET" if request.method == "HEAD" else request.method
    return method, path_template(str(request.url_rule))
