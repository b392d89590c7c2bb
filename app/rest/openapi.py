"""The OpenAPI document, made of the routes and of the schemas that they work with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Response, current_app
from marshmallow import Schema, fields, validate

from app.idempotency import HEADER, KEY_LENGTH
from app.rest import ROOT, asked, samples
from app.rest.endpoint import CSV_TYPE, PATH_NAME, Route
from app.rest.envelope import INVALID, JSON_TYPE, encoded
from app.rest.fields import Instant
from models.campaigns import campaigns

VERSION = "1.0.0"
ABOUT = (
    "Codes of points for campaigns. The prefix of the secret decides the environment: what is in "
    "the other one is not found. Input is forgiving: a code is taken in any case, with or without "
    "blanks and hyphens."
)
ALWAYS = {
    401: ["Missing X-API-Secret header", "Invalid API key"],
    403: ["API key has been revoked", "Application is not active"],
    429: ["Too many requests"],
    503: ["The store cannot be reached, try again later"],
}
OF_BODY = {400: [INVALID], 413: ["Request Entity Too Large"], 415: ["Unsupported Media Type"]}
OF_KEY = {400: [INVALID], 422: [f"{HEADER} was used with other parameters"]}
RETRIED = (429, 503)
ONE_OF_WHICH = {"oneOf": [{"required": ["code"]}, {"required": ["batchId"]}]}
PATH_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "slug": {
        "type": "string",
        "pattern": f"^{campaigns.SLUG.pattern}$",
        "not": {"enum": sorted(campaigns.RESERVED_SLUGS)},
        "example": "summer-promo",
    },
    "redemptionId": {"type": "string", "format": "uuid", **samples.BATCH_ID},
    "jobId": {"type": "string", "format": "uuid", **samples.BATCH_ID},
}


class Error(Schema):
    """Describe every refusal."""

    message = fields.String(required=True, metadata={"example": INVALID})
    code = fields.Integer(required=True, metadata={"example": 400})
    status = fields.String(
        required=True,
        validate=validate.Equal("error"),
        metadata={"enum": ["error"], "example": "error"},
    )
    error = fields.String(
        required=True,
        metadata={"description": "A stable key for programs.", "example": "invalid_request"},
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "description": "What is wrong, by field.",
            "example": {"slug": ["Missing data for required field."]},
        },
    )


def show() -> Response:
    """Show this document."""
    made = current_app.extensions.get("openapi")
    if made is None:
        made = encoded(document(current_app.extensions["rest_routes"]))
        current_app.extensions["openapi"] = made
    return Response(made, content_type=JSON_TYPE)


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document of the routes."""
    plugin = MarshmallowPlugin(schema_name_resolver=lambda schema: _name(schema))
    spec = APISpec(
        "Campaign codes",
        VERSION,
        "3.1.0",
        plugins=[plugin],
        info={"description": ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": ROOT}],
        security=[{"secret": []}],
    )
    plugin.map_to_openapi_type(Instant, "string", "date-time")
    spec.components.security_scheme(
        "secret", {"type": "apiKey", "in": "header", "name": "X-API-Secret"}
    )
    spec.components.header(
        "RequestId", {"schema": {"type": "string"}, "description": "Names this request."}
    )
    spec.components.header(
        "RetryAfter", {"schema": {"type": "integer"}, "description": "Seconds to wait."}
    )
    spec.components.schema("Which", component=ONE_OF_WHICH, schema=asked.Which)
    for route in routes:
        spec.path(route.path, operations={route.method.lower(): _operation(route)})
    return spec.to_dict()


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handle.__module__.rpartition(".")[2] + "_" + route.handle.__name__,
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if route.body is not None:
        content = {"schema": route.body, "example": _example(route.body)}
        needed = any(field.required for field in route.body._declared_fields.values())
        operation["requestBody"] = {"content": {JSON_TYPE: content}, "required": needed}
    if route.public:
        operation["security"] = []
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"in": "path", "name": name, "required": True, "schema": PATH_SCHEMAS[name]}
        for name in PATH_NAME.findall(route.path)
    ]
    if route.query is not None:
        found.append({"in": "query", "schema": route.query})
    if route.changes:
        schema = {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH}
        found.append(
            {
                "in": "header",
                "name": HEADER,
                "required": False,
                "schema": schema,
                "description": "The first answer is kept for 24 hours and given again.",
            }
        )
    return found


def _responses(route: Route) -> dict[str, Any]:
    answers: dict[str, Any] = {str(route.status): _success(route)}
    refusals: dict[int, Sequence[str]] = {} if route.public else dict(ALWAYS)
    refusals |= OF_BODY if route.body else {}
    refusals |= OF_KEY if route.changes else {}
    refusals |= {400: [INVALID]} if route.query else {}
    refusals |= {503: ALWAYS[503]}
    refusals |= route.refusals
    for status, messages in sorted(refusals.items()):
        headers = {"X-Request-Id": "RequestId"}
        if status in RETRIED:
            headers["Retry-After"] = "RetryAfter"
        answers[str(status)] = {
            "description": "; ".join(messages),
            "headers": headers,
            "content": {JSON_TYPE: {"schema": Error}},
        }
    return answers


def _success(route: Route) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if route.answer is not None:
        envelope = {
            "type": "object",
            "properties": {
                "status": {"type": "string", "enum": ["success"]},
                "data": route.answer,
            },
            "required": ["status", "data"],
        }
        example = {"status": "success", "data": _example(route.answer)}
        content[JSON_TYPE] = {"schema": envelope, "example": example}
    if route.csv:
        content[CSV_TYPE] = {"schema": {"type": "string"}}
    if route.public:
        content[JSON_TYPE] = {"schema": {"type": "object"}}
    described = "Done." if not route.csv else f"Done. CSV: {route.csv}"
    return {
        "description": described,
        "headers": {"X-Request-Id": "RequestId"},
        "content": content,
    }


def _example(schema: Any) -> dict[str, Any]:
    """Return one object of the schema, made of the examples of its fields."""
    found: dict[str, Any] = {}
    declared: Mapping[str, Any] = schema._declared_fields
    for name, field in declared.items():
        if "example" in field.metadata:
            found[name] = field.metadata["example"]
        elif isinstance(field, fields.Nested):
            found[name] = _example(field.nested)
        else:  # a list of these
            found[name] = [_example(declared[name].inner.nested)]
    if schema is asked.Which:
        del found["batchId"]  # one of the two
    return found


def _name(schema: Any) -> str:
    made = schema if isinstance(schema, type) else type(schema)
    return str(made.__name__)


ROUTES = [Route("GET", "/openapi.json", show, public=True)]
