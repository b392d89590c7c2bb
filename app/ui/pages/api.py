"""The reference of both APIs, with examples and downloads."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Blueprint, Response, abort, current_app, render_template, request
from markupsafe import Markup, escape

from app.config import Settings
from app.reference import legacy, postman, rest, snippets
from app.rest import openapi
from app.ui.roles import VIEWER, needs

blueprint = Blueprint("api", __name__)
FILES = {
    "openapi.json": "OpenAPI of the REST API",
    "legacy.postman_collection.json": "Postman collection of the legacy calls",
    "rest.postman_collection.json": "Postman collection of the REST API",
}
"""What can be downloaded, by the names of the files."""


@blueprint.app_template_filter()
def ticked(text: str) -> Markup:
    """Return a sentence with what stands between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped


@blueprint.get("/api")
@needs(VIEWER)
def shown() -> str:
    """Show every call and endpoint: its arguments, and a request in three languages."""
    endpoint, host = _endpoint(), _host()
    described = [(each, legacy.request(each, endpoint)) for each in legacy.operations()]
    described += [(each, rest.request(each, host)) for each in rest.operations()]
    groups: dict[str, list[tuple[Any, dict[str, str]]]] = {}
    for operation, sample in described:
        groups.setdefault(operation.group, []).append((operation, snippets.all_of(sample)))
    return render_template(
        "api.html", title="API", groups=groups, endpoint=endpoint, host=host, files=FILES
    )


@blueprint.get("/api/<name>")
@needs(VIEWER)
def download(name: str) -> Response:
    """Send a description of an API as a file."""
    if name not in FILES:
        abort(404)
    if name == "openapi.json":
        body = openapi.document_text()
    elif name.startswith("rest."):
        body = _text(postman.rest_collection(_host()))
    else:
        body = _text(postman.legacy_collection(_host(), _settings().admin_path))
    headers = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(body, content_type="application/json", headers=headers)


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def _host() -> str:
    """Return the URL of this installation as the browser knows it."""
    return request.host_url.rstrip("/")


def _endpoint() -> str:
    return f"{_host()}{_settings().admin_path}{legacy.ENDPOINT}"


def _text(collection: dict[str, Any]) -> bytes:
    return json.dumps(collection, ensure_ascii=False, indent=1).encode()
