"""Redemptions: who used what, when, and what it took off; one given back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from app.cli.output import time_text
from app.ui import csv_download, keyset, store, timeline
from app.ui.filters import Filters, narrowed
from app.ui.forms import PageForm
from app.ui.keyset import KeysetPage
from app.ui.roles import OPERATOR, VIEWER, needs
from models.campaigns import campaign_codes
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch
from models.promotions.coupons import Coupon
from models.redemptions import daily_sums, redemption_search, releases
from models.redemptions.daily_sums import Sum
from models.redemptions.redemption import RELEASED, USED, Redemption
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
FEW = ("client_id", "invoice_id", "order_id", "coupon_id")
"""Filters that leave few rows, which are summed as they are; so does the user."""
NAMES = ("since", "until", *COLUMNS, "campaign_id")
BATCHES = 100
"""Batches of a campaign that are each asked for the rows of a page."""
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
    page = page_of(filters)
    shown = render_template(
        "redemptions.html",
        filters=filters,
        uses=page,
        codes=codes(page.rows),
        total=total(filters),
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


def conditions(filters: Filters) -> list[Any]:
    """Return what redemptions must meet by all filters."""
    found = filters.conditions(**COLUMNS) + redemption_search.conditions(
        campaign=_campaign(filters)
    )
    since, before = filters.since(), filters.before()
    if found:
        return found + redemption_search.times(since, before)
    return redemption_search.conditions(since=since, before=before)


def page_of(filters: Filters) -> KeysetPage:
    """Return a page of what the filters leave, by the index that leaves few rows to look at."""
    wanted, period = filters.conditions(**COLUMNS), filters.period(Redemption.redeemed_at)
    campaign = _campaign(filters)
    of_campaign = redemption_search.conditions(campaign=campaign)
    if _leaves_few(filters):
        query = Redemption.select().where(*wanted, *period, *of_campaign)
        return keyset.page_of(query, Redemption.id)
    if filters.text("state") == RELEASED:  # those first that were released last
        at: Any = Redemption.released_at
        return timeline.page_of(at, [at.is_null(False)], [*wanted, *period, *of_campaign])
    if campaign is not None and not period:
        batches = redemption_search.used_batches(campaign, BATCHES + 1)
        if len(batches) <= BATCHES:
            each = (
                Redemption.select(Redemption.id).where(Redemption.batch_id == one)
                for one in batches
            )
            queries = (narrowed(query, wanted) for query in each)
            return keyset.page_of_all(queries, Redemption.id)
    if period or campaign:
        return timeline.page_of(Redemption.redeemed_at, period, [*wanted, *of_campaign])
    return keyset.page_of(narrowed(Redemption.select(), wanted), Redemption.id)


def _campaign(filters: Filters) -> Campaign | None:
    number = filters.number("campaign_id")
    found: Campaign | None = Campaign.get_or_none(Campaign.id == number) if number else None
    return found


def _leaves_few(filters: Filters) -> bool:
    """Tell whether a filter leaves few rows; 0 stands for the many without a client or a sale."""
    return bool(filters.text("user_id")) or any(filters.number(name) for name in FEW)


def total(filters: Filters) -> Sum | None:
    """Return uses and discount of all that is listed; None where that would be read from millions.

    Sums of days and batches are kept; of one client, invoice, order, user or code there are few.
    """
    if _leaves_few(filters):
        return daily_sums.of_redemptions(conditions(filters))
    if {*FEW, "campaign_id", "state"} & filters.texts.keys() - filters.wrong.keys():
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
        is_there=Coupon.select().where(Coupon.id == redemption.coupon_id).exists(),
        form=form,
    )
