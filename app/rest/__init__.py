"""The REST API: campaign codes under /v1, over the same store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask, Response


def init_app(app: Flask) -> None:
    """Register the blueprints of this API."""
    from flask import request

    from app.rest import campaigns, code_changes, codes, jobs, openapi
    from app.rest.envelope import EnvelopeJson, serves

    app.json = EnvelopeJson(app)
    for module in (campaigns, codes, code_changes, jobs, openapi):
        app.register_blueprint(module.blueprint)

    @app.after_request
    def forbid_caching(response: Response) -> Response:
        if serves(request.path):
            response.headers.setdefault("Cache-Control", "no-store")
        return response
