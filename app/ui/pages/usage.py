"""Calls: who called either API, and how it went."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, render_template, request

from app.ui.filters import Filters, narrowed
from app.ui.keyset import ROWS
from app.ui.roles import VIEWER, needs
from models.access import accesses, usage
from models.access.usage import ApiUsage
from models.store import clock

DAY_SECONDS = 86_400
CALLERS = 100
"""Callers and calls that are listed of the last day."""
FILTERS = {"api_id": ApiUsage.api_id, "call": ApiUsage.call}
CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})", re.ASCII)
blueprint = Blueprint("usage", __name__, url_prefix="/calls")


@blueprint.get("")
@needs(VIEWER)
def listed() -> Any:
    """List the calls, newest first."""
    filters = Filters(("since", "until", "result", *FILTERS))
    wanted = filters.conditions(**FILTERS) + filters.period(ApiUsage.at)
    if (result := filters.text("result")) in ("ok", "refused"):
        wanted.append(ApiUsage.success == (result == "ok"))
    if cursor := _cursor():
        at, row_id = cursor
        # The first bound is what the index is read by.
        wanted += [ApiUsage.at <= at, (ApiUsage.at < at) | (ApiUsage.id < row_id)]
    query = narrowed(ApiUsage.select(), wanted).order_by(ApiUsage.at.desc(), ApiUsage.id.desc())
    rows = list(query.limit(ROWS + 1))
    more, rows = len(rows) > ROWS, rows[:ROWS]
    page = render_template(
        "usage.html",
        filters=filters,
        rows=rows,
        names={each.api_id: each.name for each in accesses.listed()},
        older=f"{rows[-1].at}.{rows[-1].id}" if more else "",
    )
    return page, 400 if filters.wrong else 200


@blueprint.get("/callers")
@needs(VIEWER)
def callers() -> str:
    """Count the calls of the last day by who made them."""
    return render_template(
        "callers.html",
        rows=usage.summary(clock.now() - DAY_SECONDS, CALLERS),
        names={each.api_id: each.name for each in accesses.listed()},
    )


def _cursor() -> tuple[int, int] | None:
    """Return the moment and the id of the last call of the page before."""
    found = CURSOR.fullmatch(request.args.get("older", ""))
    return (int(found[1]), int(found[2])) if found else None
