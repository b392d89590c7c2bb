"""The panel that this service stands in front of: routes, differences, what is pending."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from app.ui import store
from app.ui.roles import OPERATOR, VIEWER, needs
from models.panel import differences, pending, routes, settlement, walks

PENDING = 100
DIFFERENCES = 200
blueprint = Blueprint("panel", __name__, url_prefix="/panel")


@blueprint.get("")
@needs(VIEWER)
def shown() -> str:
    """Show who answers which call, where answers differ, and which writes have no answer."""
    return render_template(
        "panel.html",
        url=store.settings().panel_url,
        routes=routes.listed(),
        counts=differences.counts(),
        differences=differences.listed()[:DIFFERENCES],
        names=routes.NAMES,
        pending=pending.listed(PENDING),
        last_walk=walks.last_finished(),
    )


@blueprint.post("/pending/<int:pending_id>")
@needs(OPERATOR)
def settle(pending_id: int) -> Any:
    """End a write whose outcome is unknown, by the word of somebody who looked at the panel."""
    applied = request.form.get("word") == "applied"
    settings = store.settings()
    settlement.settle(pending_id, applied, store.today(), settings.amount_places, None)
    flash("The write is settled.")
    return redirect(url_for("panel.shown"), 303)
