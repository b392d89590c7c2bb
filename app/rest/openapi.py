"""The OpenAPI document of the blueprints."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from flask import Flask, Response, current_app
from flask_smorest import Api
from flask_smorest.spec import FlaskPlugin

from app.idempotency import HEADER
from app.rest import samples
from app.rest.blueprint import RestBlueprint, path_template
from app.rest.envelope import INVALID, JSON_TYPE, ROOT, json_response
from app.rest.fields import Timestamp
from app.rest.requests import CodeOrBatchRequest
from app.rest.responses import ErrorResponse
from models.campaigns import campaigns

ABOUT = (
    "Codes of points for campaigns. The prefix of the secret decides the environment: what is in "
    "the other one is not found. Input is forgiving: a code is taken in any case, with or without "
    "blanks and hyphens."
)
STORE_AWAY = {503: "The store cannot be reached, try again later"}
OF_SECRET = {
    401: "Missing X-API-Secret header; Invalid API key",
    403: "API key has been revoked; Application is not active",
    429: "Too many requests",
}
OF_FIELDS = {400: INVALID}
OF_BODY = {413: "Request Entity Too Large", 415: "Unsupported Media Type"}
OF_KEY = {422: f"{HEADER} was used with other parameters"}
RETRIED = (429, 503)
PATH_SCHEMAS = {
    "slug": {
        "type": "string",
        "pattern": f"^{campaigns.SLUG.pattern}$",
        "not": {"enum": sorted(campaigns.RESERVED_SLUGS)},
        "example": "summer-promo",
    },
    "redemptionId": {"type": "string", "format": "uuid", **samples.BATCH_ID},
    "jobId": {"type": "string", "format": "uuid", **samples.BATCH_ID},
}
blueprint = RestBlueprint("openapi", is_public=True)


@blueprint.get("/openapi.json")
@blueprint.operation("openapi_show", security=[])
@blueprint.response(200, {"type": "object"})
def show() -> Response:
    """Show this document."""
    return Response(_document_text(), content_type=JSON_TYPE)


def document(blueprints: Iterable[RestBlueprint]) -> dict[str, Any]:
    """Return the document of the blueprints.

    An application of its own is described, so that the one that answers gets no error handlers
    and commands of flask-smorest, and does not wait for the document when it starts.
    """
    api = RestApi(
        Flask(__name__, static_folder=None),
        spec_kwargs={
            "title": "Campaign codes",
            "version": "1.0.0",
            "openapi_version": "3.1.0",
            "flask_plugin": RestPlugin(),
            "info": {"description": ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
            "servers": [{"url": ROOT}],
            "security": [{"secret": []}],
        },
    )
    api.register_field(Timestamp, "string", "date-time")
    components = api.spec.components
    components.security_scheme("secret", {"type": "apiKey", "in": "header", "name": "X-API-Secret"})
    text, number = {"type": "string"}, {"type": "integer"}
    components.header("RequestId", {"schema": text, "description": "Names this request."})
    components.header("RetryAfter", {"schema": number, "description": "Seconds to wait."})
    either = {"oneOf": [{"required": ["code"]}, {"required": ["batchId"]}]}
    components.schema("CodeOrBatchRequest", either, schema=CodeOrBatchRequest)
    for each in blueprints:
        api.register_blueprint(each)
    described: dict[str, Any] = api.spec.to_dict()
    del described["tags"], described["components"]["schemas"]["PaginationMetadata"]  # unused
    return described


class RestApi(Api):
    """Describe errors by our schema, and none by default."""

    ERROR_SCHEMA = ErrorResponse
    DEFAULT_ERROR_RESPONSE_NAME = None


class RestPlugin(FlaskPlugin):
    """Complete the operations of an OpenAPI document: paths below /v1, refusals, headers."""

    def path_helper(self, rule: Any, operations: Any, **options: Any) -> str:
        """Return the path of a rule; its parameters go to the operations."""
        for operation in operations.values():
            operation["parameters"] = [
                parameter | {"schema": PATH_SCHEMAS[parameter["name"]]}
                for parameter in self.rule_to_params(rule)
            ] + operation.get("parameters", [])
        return path_template(rule.rule)

    def operation_helper(self, operations: Any, **options: Any) -> None:
        """Add the responses that are common to all operations of a kind."""
        for operation in operations.values():
            del operation["tags"]
            refusals = _common_refusals(operation).items()
            responses: dict[int, Any] = {status: {"description": text} for status, text in refusals}
            for status, response in operation["responses"].items():
                if isinstance(response, dict):  # else the name of an error of flask-smorest's own
                    responses[status] = response
            for status, response in responses.items():
                response["headers"] = {"X-Request-Id": "RequestId"}
                if status in RETRIED:
                    response["headers"]["Retry-After"] = "RetryAfter"
                if status >= 400:
                    response["content"] = {JSON_TYPE: {"schema": ErrorResponse}}
            operation["responses"] = dict(sorted(responses.items()))


def _common_refusals(operation: dict[str, Any]) -> dict[int, str]:
    """Return the refusals that follow from what an operation takes, by status."""
    refusals = dict(STORE_AWAY)
    places = {parameter["in"] for parameter in operation["parameters"]}
    if "security" not in operation:
        refusals |= OF_SECRET
    if "requestBody" in operation:
        refusals |= OF_FIELDS | OF_BODY
    if "query" in places:
        refusals |= OF_FIELDS
    if "header" in places:
        refusals |= OF_KEY
    return refusals


@cache
def _document_text() -> bytes:
    registered = current_app.blueprints.values()
    described = document(each for each in registered if isinstance(each, RestBlueprint))
    return json_response(described).get_data()
