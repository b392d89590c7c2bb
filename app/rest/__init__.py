"""The REST API: campaign codes under /v1, over the same store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def init_app(app: Flask) -> None:
    """Register the blueprints of this API."""
    from app.rest import openapi
    from app.rest.envelope import EnvelopeJson

    app.json = EnvelopeJson(app)
    for blueprint in openapi.blueprints():
        app.register_blueprint(blueprint)
