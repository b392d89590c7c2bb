"""The second face: campaign codes under /v1, over the same store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

ROOT = "/v1"


def serves(path: str) -> bool:
    """Tell whether this face answers a path, be there a route or not."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def init_app(app: Flask) -> None:
    """Add the routes of this face to the application."""
    from app.rest import campaigns, code_changes, codes, endpoint, jobs, openapi

    modules = (campaigns, codes, code_changes, jobs, openapi)
    endpoint.add_routes(app, [route for module in modules for route in module.ROUTES])
