"""The links that stand on every page."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Flask, current_app, request, url_for

from app.ui.roles import ADMIN, VIEWER, current_user


class Link(NamedTuple):
    """Hold the endpoint that a link leads to, its text, and the role that it is shown to."""

    endpoint: str
    text: str
    role: str = VIEWER


LINKS = (
    Link("find.start", "Find"),
    Link("batches.listed", "Batches"),
    Link("redemptions.listed", "Redemptions"),
    Link("refused.listed", "Refused tries"),
    Link("campaigns.listed", "Campaigns"),
    Link("bulk_stop.start", "Stop codes", "operator"),
    Link("panel.shown", "Panel"),
    Link("usage.listed", "Calls"),
    Link("audit.listed", "Audit"),
    Link("accesses.listed", "Accesses", ADMIN),
    Link("secrets.listed", "Secrets", ADMIN),
    Link("webhooks.listed", "Webhooks", ADMIN),
    Link("users.listed", "Users", ADMIN),
    Link("api.shown", "API"),
)


def init_app(app: Flask) -> None:
    """Give every template the links for whoever is logged in."""
    app.context_processor(lambda: {"links": links()})


def links() -> list[dict[str, Any]]:
    """Return text, address and whether it is the page shown, for each link of this person."""
    user = current_user()
    if user is None:
        return []
    here = (request.blueprint or "").split(".")[0]
    return [
        {
            "text": link.text,
            "address": url_for(link.endpoint),
            "here": link.endpoint.split(".")[0] == here,
        }
        for link in LINKS
        if link.endpoint in current_app.view_functions and user.may(link.role)
    ]
