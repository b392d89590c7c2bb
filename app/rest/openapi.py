"""The OpenAPI document of the blueprints."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from flask import Flask, Response
from flask_smorest import Api
from flask_smorest.spec import FlaskPlugin

from app.rest import campaigns, code_changes, codes, webhooks
from app.rest.blueprint import RestBlueprint, path_template, refused
from app.rest.envelope import INVALID, JSON_TYPE, KEY_REUSED, ROOT
from app.rest.fields import EXAMPLES, Timestamp
from app.rest.requests import CodeOrBatchRequest
from app.rest.responses import ErrorResponse
from models.campaigns.campaigns import RESERVED_SLUGS
from models.campaigns.campaigns import SLUG as SLUG_PATTERN
from models.redemptions.players import USER_LENGTH

ABOUT = (
    "Codes of points for campaigns. The prefix of the secret decides the environment: what is in "
    "the other one is not found. Input is forgiving: a code is taken in any case, with or without "
    "blanks and hyphens. Every response names its request in the header X-Request-Id."
)
REFUSALS = {
    400: INVALID,
    401: "Missing X-API-Secret header; Invalid API key",
    403: "API key has been revoked; Application is not active",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    422: KEY_REUSED,
    429: "Too many requests",
    503: "The store cannot be reached, try again later",
}
"""The refusals that operations share, by their statuses."""
SECRET = {
    "type": "apiKey",
    "in": "header",
    "name": "X-API-Secret",
    "description": "`sk_live_…` or `sk_test_…`.",
}
RETRY_AFTER = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
SLUG = {
    "type": "string",
    "pattern": f"^{SLUG_PATTERN.pattern}$",
    "not": {"enum": sorted(RESERVED_SLUGS)},
    "example": EXAMPLES["slug"],
}
UUID = {"type": "string", "format": "uuid", "example": EXAMPLES["id"]}
USER = {"type": "string", "minLength": 1, "maxLength": USER_LENGTH, "example": "user-1001"}
PATH_SCHEMAS = {
    "slug": SLUG,
    "userId": USER,
    "redemptionId": UUID,
    "jobId": UUID,
    "webhookId": UUID,
}
blueprint = RestBlueprint("openapi", is_public=True)


def blueprints() -> tuple[RestBlueprint, ...]:
    """Return the blueprints of the API, this one too."""
    return (
        campaigns.blueprint,
        codes.blueprint,
        code_changes.blueprint,
        webhooks.blueprint,
        blueprint,
    )


@blueprint.get("/openapi.json")
@blueprint.operation("openapi_show", security=[])
@blueprint.response(200, {"type": "object"})
def show() -> Response:
    """Show this document."""
    return Response(document_text(), content_type=JSON_TYPE)


@cache
def document_text() -> bytes:
    """Return the document as JSON."""
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()


@cache
def document() -> dict[str, Any]:
    """Return the document, which nobody changes."""
    # An application of its own is described, so that the one that answers gets no error handlers
    # and commands of flask-smorest, and does not wait for the document when it starts.
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
    components.security_scheme("secret", SECRET)
    one_of_two = {"minProperties": 1, "maxProperties": 1}
    components.schema("CodeOrBatchRequest", one_of_two, schema=CodeOrBatchRequest)
    for each in blueprints():
        api.register_blueprint(each)
    described: dict[str, Any] = api.spec.to_dict()
    for status, text in refused(REFUSALS).items():
        response = described["components"]["responses"][text]
        response["description"] = REFUSALS[status]
        if status in (429, 503):
            response["headers"] = {"Retry-After": RETRY_AFTER}
    del described["tags"], described["components"]["schemas"]["PaginationMetadata"]  # unused
    return described


class RestApi(Api):
    """Describe errors by our schema, and none by default."""

    ERROR_SCHEMA = ErrorResponse
    DEFAULT_ERROR_RESPONSE_NAME = None


class RestPlugin(FlaskPlugin):
    """Describe paths below /v1 and the parameters in them."""

    def path_helper(self, rule: Any, operations: Any, **options: Any) -> str:
        """Return the path of a rule; its parameters go to the operations."""
        for operation in operations.values():
            del operation["tags"]
            operation["parameters"] = [
                parameter | {"schema": PATH_SCHEMAS[parameter["name"]]}
                for parameter in self.rule_to_params(rule)
            ] + operation.get("parameters", [])
        return path_template(rule.rule)
