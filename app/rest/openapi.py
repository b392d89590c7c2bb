"""The OpenAPI document."""

from __future__ import annotations

from app.rest.endpoint import Route

ROUTES: list[Route] = []
