"""Audit: who changed what, when, from where, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, render_template

from app.ui import timeline
from app.ui.filters import Filters
from app.ui.roles import VIEWER, needs
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign
from models.promotions.coupons import Coupon
from models.redemptions.redemption import Redemption
from models.store.audit import ACCESS, COMMAND, SECRET, SYSTEM, USER, AuditEntry

COLUMNS = {  # the actor first, whom an index has with the moment
    "actor": AuditEntry.actor,
    "actor_kind": AuditEntry.actor_kind,
    "action": AuditEntry.action,
    "subject_kind": AuditEntry.subject_kind,
    "subject_id": AuditEntry.subject_id,
}
KINDS = {
    USER: "a person at the pages",
    ACCESS: "the admin API",
    SECRET: "the REST API",
    COMMAND: "the command line",
    SYSTEM: "the system",
}
SUBJECTS = (
    *("batch", "code", "codes", "redemption", "campaign", "access", "secret", "user"),
    *("route", "import"),
)
PAGES: dict[str, type[Any]] = {
    "batch": Batch,
    "code": Coupon,
    "redemption": Redemption,
    "campaign": Campaign,
}
"""The tables of the subjects that have pages."""
blueprint = Blueprint("audit", __name__, url_prefix="/audit")


@blueprint.get("")
@needs(VIEWER)
def listed() -> Any:
    """List the changes, newest first."""
    filters = Filters(("since", "until", *COLUMNS))
    wanted = filters.conditions(**COLUMNS)
    indexed = 1 if "actor" in filters.texts else 0
    found = wanted[:indexed] + filters.period(AuditEntry.at)
    entries = timeline.page_of(AuditEntry.at, found, wanted[indexed:])
    page = render_template(
        "audit.html",
        filters=filters,
        page=entries,
        there={*_there(entries.rows)},
        kinds=KINDS,
        subjects=[(subject, subject) for subject in SUBJECTS],
    )
    return page, 400 if filters.wrong else 200


def _there(entries: list[AuditEntry]) -> Iterator[tuple[str, int]]:
    """Yield kind and id of each subject that has a page: it was not deleted."""
    for kind, table in PAGES.items():
        ids = {entry.subject_id for entry in entries if entry.subject_kind == kind}
        rows: Any = table.select(table.id).where(table.id.in_(ids))
        yield from ((kind, row_id) for (row_id,) in rows.tuples())
