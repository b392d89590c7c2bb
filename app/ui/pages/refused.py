"""Refused tries: which codes were tried in vain, and why."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from app.ui import sentences, store, timeline
from app.ui.filters import Filters
from app.ui.roles import VIEWER, needs
from models.access.refused_tries import LEGACY, OVER_QUOTA, REST, RefusedTry
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.redemptions.use_rules import REFUSALS

FACES = {LEGACY: "admin API", REST: "REST API"}
REASONS = (*REFUSALS, *sentences.OTHER_REASONS)
INDEXED = {
    "coupon_id": RefusedTry.coupon_id,
    "client_id": RefusedTry.client_id,
    "user_id": RefusedTry.user_id,
    "reason": RefusedTry.reason,
}
"""The columns that an index has with the moment, those first that leave fewer rows."""
OTHERS = {"face": RefusedTry.face}
blueprint = Blueprint("refused", __name__, url_prefix="/refused")


@blueprint.get("")
@needs(VIEWER)
def listed() -> Any:
    """List refused tries, newest first."""
    filters = Filters(("since", "until", *INDEXED, *OTHERS))
    indexed = filters.conditions(**INDEXED)
    found = indexed[:1] + filters.period(RefusedTry.at)
    page = timeline.page_of(RefusedTry.at, found, indexed[1:] + filters.conditions(**OTHERS))
    shown = render_template(
        "refused.html",
        filters=filters,
        tries=page,
        codes=_codes(page.rows),
        faces=FACES,
        reason=sentences.reason,
        reasons=[(key, sentences.reason(key)) for key in REASONS],
        over_quota=OVER_QUOTA,
    )
    return shown, 400 if filters.wrong else 200


def _codes(tries: list[RefusedTry]) -> dict[int, str]:
    """Return the codes that there are, by their ids, as they may be shown."""
    ids = {each.coupon_id for each in tries}
    coupons = list(Coupon.select().where(Coupon.id.in_(ids)))
    named = Batch.select().where(Batch.id.in_({each.batch_id for each in coupons}))
    batches = {batch.id: batch for batch in named}
    return {
        each.id: store.shown(each.code, each.realm, batches.get(each.batch_id), each.id)
        for each in coupons
    }
