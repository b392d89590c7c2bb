"""Calls: who called either API, and how it went."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from app.ui import timeline
from app.ui.filters import Filters
from app.ui.roles import VIEWER, needs
from models.access import accesses, daily_calls
from models.access.daily_calls import DAY_SECONDS
from models.access.usage import ApiUsage
from models.store import clock

CALLERS = 100
"""Callers and calls that are listed of the last days."""
INDEXED = {"api_id": ApiUsage.api_id, "call": ApiUsage.call}
"""The columns that an index has with the moment."""
blueprint = Blueprint("usage", __name__, url_prefix="/calls")


@blueprint.get("")
@needs(VIEWER)
def listed() -> Any:
    """List the calls, newest first."""
    filters = Filters(("since", "until", "result", *INDEXED))
    indexed, wanted = filters.conditions(**INDEXED), []
    if (result := filters.text("result")) in ("ok", "refused"):
        wanted.append(ApiUsage.success == (result == "ok"))
    found = indexed[:1] + filters.period(ApiUsage.at)
    page = render_template(
        "usage.html",
        filters=filters,
        page=timeline.page_of(ApiUsage.at, found, indexed[1:] + wanted),
        names={each.api_id: each.name for each in accesses.listed()},
    )
    return page, 400 if filters.wrong else 200


@blueprint.get("/callers")
@needs(VIEWER)
def callers() -> str:
    """Count the calls of today and yesterday (UTC) by who made them."""
    return render_template(
        "callers.html",
        rows=daily_calls.summary(clock.now() - DAY_SECONDS, CALLERS),
        names={each.api_id: each.name for each in accesses.listed()},
    )
