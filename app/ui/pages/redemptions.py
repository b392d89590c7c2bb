"""Redemptions: who used what, when, and what it took off; one given back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from app.cli.output import time_text
from app.ui import csv_download, keyset, store
from app.ui.filters import Filters, narrowed
from app.ui.forms import PageForm
from app.ui.keyset import Place
from app.ui.roles import OPERATOR, VIEWER, needs
from models.campaigns import campaign_codes
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch
from models.redemptions import daily_sums, redemption_search, releases
from models.redemptions.daily_sums import Sum
from models.redemptions.redemption import USED, Redemption
from models.store import audit

COLUMNS = {
    "client_id": Redemption.client_id,
    "invoice_id": Redemption.invoice_id,
    "order_id": Redemption.order_id,
    "user_id": Redemption.user_id,
    "batch_id": Redemption.batch_id,
    "coupon_id": Redemption.coupon_id,
    "state": Redemption.state,
}
FEW = ("client_id", "invoice_id", "order_id", "user_id", "coupon_id")
"""Filters that leave few rows, which are summed as they are."""
NAMES = ("since", "until", *COLUMNS, "campaign_id")
SLICE = 500
EARLIEST = date(1970, 1, 1)
CSV = (
    *("id", "redeemed_at", "state", "code", "batch_id", "client_id", "user_id", "invoice_id"),
    *("order_id", "amount", "setup_amount", "discount", "setup_discount", "points", "released_at"),
)
blueprint = Blueprint("redemptions", __name__, url_prefix="/redemptions")


class Release(PageForm):
    """Ask why a use is given back: somebody will ask."""

    reason = StringField("Why is it given back?", [InputRequired("Say why."), Length(max=200)])


@blueprint.get("")
@needs(VIEWER)
def listed() -> Any:
    """List redemptions, newest first."""
    filters = Filters(NAMES)
    at = keyset.place()
    wanted = conditions(filters, at)
    page = keyset.page_of(narrowed(Redemption.select(), wanted), Redemption.id, at)
    shown = render_template(
        "redemptions.html",
        filters=filters,
        uses=page,
        codes=codes(page.rows),
        total=total(filters, wanted),
        is_month=not filters.texts,
    )
    return shown, 400 if filters.wrong else 200


@blueprint.get("/csv")
@needs(OPERATOR)
def download() -> Response:
    """Return the same as CSV, codes of the REST API masked."""
    wanted = conditions(Filters(NAMES))
    return csv_download.of_rows("redemptions", CSV, _rows(wanted))


@blueprint.route("/<int:redemption_id>")
@needs(VIEWER)
def shown(redemption_id: int) -> str:
    """Show a redemption."""
    return _page(redemption_search.known(str(redemption_id)), Release())


@blueprint.post("/<int:redemption_id>")
@needs(OPERATOR)
def release(redemption_id: int) -> Any:
    """Give a use back to its code."""
    found, form = redemption_search.known(str(redemption_id)), Release()
    if not form.validate_on_submit():
        return _page(found, form), 400
    with audit.because(form.reason.data or ""):
        if found.campaign_id and found.uuid:
            owner, slug = campaign_of(found)
            campaign_codes.roll_back(owner, slug, found.uuid, store.today())
        else:
            releases.release(found.id, store.today())
    flash("The use is given back: the code can be used once more.")
    return redirect(url_for("redemptions.shown", redemption_id=redemption_id), 303)


def campaign_of(redemption: Redemption) -> tuple[Any, str]:
    """Return the owner and the slug of the campaign in which a code was used."""
    campaign = Campaign.get_by_id(redemption.campaign_id)
    return campaign.owner, campaign.slug


def conditions(filters: Filters, at: Place | None = None) -> list[Any]:
    """Return what redemptions must meet by the filters; `at` is where a page of them begins."""
    campaign_id = filters.number("campaign_id")
    campaign = Campaign.get_or_none(Campaign.id == campaign_id) if campaign_id else None
    found = filters.conditions(**COLUMNS) + redemption_search.conditions(campaign=campaign)
    since, before = filters.since(), filters.before()
    if found or (since is None and before is None):
        return found + redemption_search.times(since, before)
    if at is None:
        return redemption_search.conditions(since=since, before=before)
    between = redemption_search.span(since, before)
    above = [Redemption.id >= between.first] if at.after is None else []
    below = [Redemption.id <= between.last] if at.before is None else []
    return [*between.exact, *above, *below]


def total(filters: Filters, wanted: list[Any]) -> Sum | None:
    """Return uses and discount of all that is listed; None where that would be read from millions.

    Sums of days and batches are kept; of one client, invoice, order, user or code there are few.
    """
    if any(name in filters.texts for name in FEW):
        return daily_sums.of_redemptions(wanted)
    if {"campaign_id", "state"} & filters.texts.keys():
        return None
    batch_id = filters.number("batch_id")
    # Of all batches the days are summed as they are asked for, else those of this month.
    first = EARLIEST if batch_id else store.today().replace(day=1)
    since = filters.day("since") or (EARLIEST if filters.day("until") else first)
    return daily_sums.total(since, filters.day("until") or date.max, batch_id)


def codes(uses: Iterable[Redemption]) -> dict[int, str]:
    """Return the codes of redemptions as they may be shown, by the ids of these."""
    uses = list(uses)
    batches = {
        batch.id: batch
        for batch in Batch.select().where(Batch.id.in_({use.batch_id for use in uses}))
    }
    return {
        use.id: store.shown(use.code, use.realm, batches.get(use.batch_id), use.coupon_id)
        for use in uses
    }


def _rows(wanted: list[Any]) -> Iterator[list[Any]]:
    for some in redemption_search.slices(wanted, SLICE):
        masked = codes(some)
        for use in some:
            row = [getattr(use, name) for name in CSV]
            row[CSV.index("code")] = masked[use.id]
            for name in ("redeemed_at", "released_at"):
                row[CSV.index(name)] = time_text(getattr(use, name))
            yield row


def _page(redemption: Redemption, form: Release) -> str:
    return render_template(
        "redemption.html",
        use=redemption,
        code=codes([redemption])[redemption.id],
        batch=Batch.get_or_none(Batch.id == redemption.batch_id),
        joined=CampaignBatch.get_or_none(CampaignBatch.batch_id == redemption.batch_id),
        stands=redemption.state == USED,
        form=form,
    )
