"""Batches: how each stands; made, grown, edited, archived, deleted, downloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from peewee import fn

from app.exchange import csv_export
from app.ui import charts, conflicts, csv_download, keyset, sentences, store
from app.ui.filters import Filters, narrowed
from app.ui.pages.codes import typed_of
from app.ui.pages.redemptions import codes as codes_of
from app.ui.roles import OPERATOR, VIEWER, needs
from app.ui.typed import TypedForm
from calls import WrongParameters
from calls.edit_promo_batch import Arguments as EditArguments
from calls.wire import editing
from models.promotions import batch_jobs, batch_life, batches
from models.promotions.batches import Batch
from models.promotions.campaign_counts import CampaignBatch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import batch_deletion, daily_sums
from models.redemptions.redemption import Redemption
from models.store import visibility
from models.store.errors import Conflict, PromoError

SPARK_DAYS, CHART_DAYS = 30, 90
LATEST = 10
GROWN_MOST = 10_000
"""Codes that one request makes; more are made by a worker."""
EDITED = (
    *("name", "notes", "prefix", "expires", "value", "type", "applyto", "cycle", "max_usage"),
    *("max_client_usage", "min_cart_amount", "clients", "client_id", "products", "cycles"),
)
COLUMNS = {"codes": ("code",), "all": csv_export.COLUMNS}
blueprint = Blueprint("batches", __name__, url_prefix="/batches")


@blueprint.get("")
@needs(VIEWER)
def listed() -> Any:
    """List the batches, newest first."""
    filters = Filters(("text", "state"))
    query = Batch.select(Batch, Terms).join(Terms)
    if text := filters.text("text"):
        named = fn.LOWER(Batch.name).contains(text.lower())
        query = query.where(named | fn.LOWER(Batch.prefix).contains(text.lower()))
    if state := filters.text("state"):
        query = narrowed(query, [*_in_state(state)])
    page = keyset.page_of(query, Batch.id)
    today = store.today()
    return render_template(
        "batches.html",
        filters=filters,
        page=page,
        states={batch.id: sentences.state_of_batch(batch, today) for batch in page.rows},
        sparks=_sparks([batch.id for batch in page.rows], today),
    )


@blueprint.get("/<int:batch_id>")
@needs(VIEWER)
def shown(batch_id: int) -> str:
    """Show a batch: what its codes do, how they are used, by whom."""
    return _shown(batch_id)


def _shown(batch_id: int, grown: str = "", wrong: str = "") -> str:
    """Return the page of a batch; `grown` is how many codes were asked for, `wrong` why not."""
    batch, today = store.batch_by_id(batch_id), store.today()
    since = today - timedelta(days=CHART_DAYS - 1)
    days = daily_sums.of_day(date(1970, 1, 1), date.max, batch_id)
    uses = {day: each.uses for day, each in days.items()}
    latest = Redemption.select().where(Redemption.batch_id == batch_id)
    page = keyset.page_of(Coupon.select().where(Coupon.batch_id == batch_id), Coupon.id)
    latest_uses = list(latest.order_by(Redemption.id.desc()).limit(LATEST))
    return render_template(
        "batch.html",
        batch=batch,
        terms=batch.terms,
        typed=typed_of(batch.terms),
        state=sentences.state_of_batch(batch, today),
        sentence=sentences.of_terms(batch.terms),
        joined=CampaignBatch.get_or_none(CampaignBatch.batch_id == batch_id),
        is_legacy=batch.realm == visibility.LEGACY,
        given=sum(each.discount for each in days.values()),
        chart=charts.line_chart(charts.filled(uses, since, today), "Uses a day"),
        days=[(each, days[each]) for each in sorted(days, reverse=True)[:CHART_DAYS]],
        uses=keyset.KeysetPage(latest_uses, None, None),
        codes=codes_of(latest_uses),
        page=page,
        shown_codes={
            each.id: store.shown(each.code, each.realm, batch, each.id) for each in page.rows
        },
        code_states={
            each.id: sentences.state_of(each, Terms.by_id(each.terms_id), today)
            for each in page.rows
        },
        job=batch_jobs.of_batch(batch_id),
        grown=grown,
        wrong=wrong,
    )


@blueprint.get("/<int:batch_id>/progress")
@needs(VIEWER)
def progress(batch_id: int) -> str:
    """Show how many codes have been made, as a part of the batch's page."""
    batch = store.batch_by_id(batch_id)
    return render_template("progress.html", batch=batch, job=batch_jobs.of_batch(batch_id))


@blueprint.get("/<int:batch_id>/<any(codes, all):what>.csv")
@needs(OPERATOR)
def download(batch_id: int, what: str) -> Response:
    """Return the codes of a batch as CSV, in slices."""
    batch = _legacy(batch_id)
    pieces = csv_export.pieces(batch.id, COLUMNS[what], places=store.settings().amount_places)
    return csv_download.of_pieces(f"batch-{batch_id}", (piece for _, piece in pieces))


@blueprint.route("/<int:batch_id>/edit", methods=["GET", "POST"])
@needs(OPERATOR)
def edit(batch_id: int) -> Any:
    """Change a batch and those of its codes that have no terms of their own."""
    batch = _legacy(batch_id)
    form = TypedForm(EditPage, EDITED, held=_typed(batch), changes=True)

    def check(now: Batch) -> None:
        conflicts.require(
            form.sent.get("revision", ""),
            _revision(now),
            yours=form.shown(),
            theirs=form.shown_of(_typed(now)),
            again=url_for("batches.edit", batch_id=batch_id),
        )

    if request.method == "POST":
        check(batch)
        given = form.loaded(batch.terms)
        if given is not None:
            own = {name: given[name] for name in ("name", "notes", "prefix") if name in given}
            caller = store.caller()
            try:
                batch_life.edit(
                    batch_id,
                    caller.today,
                    zone=caller.zone,
                    terms=editing.revising(given),
                    config=editing.config_after,
                    check=check,
                    **own,
                )
            except (PromoError, WrongParameters) as problem:
                form.refuse(problem)
            else:
                flash("The batch has been changed.")
                return redirect(url_for("batches.shown", batch_id=batch_id), 303)
    page = render_template("batch_edit.html", form=form, batch=batch, revision=_revision(batch))
    return page, 400 if form.errors else 200


@blueprint.route(
    "/<int:batch_id>/<any(archive, restore, delete, cancel):change>", methods=["GET", "POST"]
)
@needs(OPERATOR)
def change(batch_id: int, change: str) -> Any:
    """Say what a change would do, and do it."""
    batch = _legacy(batch_id)
    if request.method == "GET":
        return render_template(
            "batch_change.html", batch=batch, change=change, revision=_revision(batch)
        )
    caller = store.caller()

    def check(now: Batch) -> None:
        conflicts.require(request.form.get("revision", ""), _revision(now))

    if change == "delete":
        batch_deletion.delete(batch_id, check)
        flash(f"The batch {batch.name} is deleted.")
        return redirect(url_for("batches.listed"), 303)
    if change == "cancel":
        batch_jobs.cancel(batch_id)
        flash("No more codes are made.")
    else:
        live = change == "restore"
        batch_life.edit(batch_id, caller.today, zone=caller.zone, live=live, check=check)
        flash("The batch is active again." if change == "restore" else "The batch is archived.")
    return redirect(url_for("batches.shown", batch_id=batch_id), 303)


@blueprint.post("/<int:batch_id>/grow")
@needs(OPERATOR)
def grow(batch_id: int) -> Any:
    """Make more codes in a batch."""
    _legacy(batch_id)
    text = request.form.get("size", "").strip()
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(GROWN_MOST))
    if not (digits and 1 <= int(text) <= GROWN_MOST):
        return _shown(batch_id, text[:20], f"Say how many: 1 to {GROWN_MOST:,}."), 400
    batch_life.grow(batch_id, int(text), store.today())
    flash(f"{int(text):,} codes were made.")
    return redirect(url_for("batches.shown", batch_id=batch_id), 303)


class EditPage(EditArguments):
    """Declare what the page changes: the batch is named by its address."""

    always = frozenset()

    class Meta(EditArguments.Meta):
        exclude = ("id",)


def _revision(batch: Batch) -> str:
    """Return what differs whenever a batch was changed, other than by a use of its codes."""
    held = [batch.name, batch.prefix, batch.notes, batch.live, batch.requested, batch.terms_id]
    return hashlib.sha256(repr(held).encode()).hexdigest()[:16]


def _typed(batch: Batch) -> dict[str, str]:
    """Return what an edit changes, as people type it."""
    own = {"name": batch.name, "prefix": batch.prefix, "notes": batch.notes}
    return typed_of(batch.terms) | own


def _legacy(batch_id: int) -> Batch:
    """Return a batch that the pages change. Raises NotFound, and Conflict for a campaign's own."""
    batch = store.batch_by_id(batch_id)
    if batch.realm != visibility.LEGACY:
        raise Conflict("The batch is a campaign's: it is changed there")
    return batches.by_id(batch_id)


def _in_state(state: str) -> Iterator[Any]:
    """Yield the conditions of a state: as sentences.state_of_batch, the first that holds is it."""
    today = store.today()
    most = Terms.max_usage * Batch.coupons_count
    holds = {
        "archived": Batch.live == False,  # noqa: E712  # SQL
        "being-made": Batch.made < Batch.requested,
        "ended": Terms.expires.is_null(False) & (Terms.expires < today),
        "used-up": (most > 0) & (Batch.coupons_used >= most),
    }
    if state != "active" and state not in holds:
        return
    for name, condition in holds.items():
        if name == state:
            yield condition
            return
        yield ~condition


def _sparks(ids: list[int], today: date) -> dict[int, Any]:
    since = today - timedelta(days=SPARK_DAYS - 1)
    found = daily_sums.of_batches(ids, since, today) if ids else {}
    return {
        batch_id: charts.sparkline(
            list(charts.filled(uses, since, today).values()),
            f"{sum(uses.values())} uses in {SPARK_DAYS} days",
        )
        for batch_id, uses in found.items()
    }
