"""A code: what it does, who used it, and whether it would work for a cart."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from app.exchange import terms_parsing
from app.ui import conflicts, keyset, quotes, sentences, store
from app.ui.roles import OPERATOR, VIEWER, needs
from app.ui.typed import TypedForm
from calls import WrongParameters
from calls.wire import editing
from models.access import refused_tries
from models.campaigns import revocations
from models.promotions import coupon_life
from models.promotions.batches import Batch
from models.promotions.campaign_counts import CampaignBatch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.redemption import Redemption
from models.store import visibility
from models.store.errors import Conflict, PromoError

TRIES = 10
"""Refused tries that stand on the page of a code."""
FIELDS = ("value", "type", "expires", "max_usage", "max_client_usage", "notes")
"""What is changed of one code on its page; the rest is of its batch."""
blueprint = Blueprint("codes", __name__, url_prefix="/codes")


@blueprint.get("/<int:coupon_id>")
@needs(VIEWER)
def shown(coupon_id: int) -> str:
    """Show a code."""
    return _page(store.coupon_by_id(coupon_id))


@blueprint.post("/<int:coupon_id>/<any(stop, start, archive, restore):change>")
@needs(OPERATOR)
def change(coupon_id: int, change: str) -> Any:
    """Stop a code, put it away, or bring it back."""
    coupon = store.coupon_by_id(coupon_id)

    def deed() -> None:
        if coupon.realm != visibility.LEGACY:
            _of_campaign(coupon, bring_back=change in ("start", "restore"))
        elif change in ("stop", "start"):
            coupon_life.edit(coupon.id, store.today(), active=change == "start")
        else:
            coupon_life.edit(coupon.id, store.today(), live=change == "restore")

    sent = request.form.get("revision", "")
    conflicts.unchanged(_row(coupon), lambda now: conflicts.require(sent, revision(now)), deed)
    done = {"stop": "stopped", "start": "active", "archive": "archived", "restore": "active"}
    flash(f"The code is {done[change]} now.")
    return redirect(url_for("codes.shown", coupon_id=coupon_id), 303)


@blueprint.route("/<int:coupon_id>/edit", methods=["GET", "POST"])
@needs(OPERATOR)
def edit(coupon_id: int) -> Any:
    """Change the terms of one code."""
    coupon = store.coupon_by_id(coupon_id)
    if coupon.realm != visibility.LEGACY:
        raise Conflict("The terms of a code of a campaign are those of its batch")
    terms = Terms.by_id(coupon.terms_id)
    form = TypedForm(editing.TermsChange, FIELDS, held=typed_of(terms), changes=True)

    def check(now: Coupon) -> None:
        conflicts.require(
            form.sent.get("revision", ""),
            revision(now),
            yours=form.shown(),
            theirs=form.shown_of(typed_of(Terms.by_id(now.terms_id))),
            again=url_for("codes.edit", coupon_id=coupon_id),
        )

    if request.method == "POST":
        check(coupon)
        given = form.loaded(terms)
        if given is not None:
            changed = partial(
                coupon_life.edit, coupon.id, store.today(), terms=editing.revising(given)
            )
            try:
                conflicts.unchanged(_row(coupon), check, changed)
            except (PromoError, WrongParameters) as problem:
                form.refuse(problem)
            else:
                flash("The code has been changed.")
                return redirect(url_for("codes.shown", coupon_id=coupon_id), 303)
    page = render_template(
        "code_edit.html", form=form, coupon=coupon, code=_code(coupon), revision=revision(coupon)
    )
    return page, 400 if form.errors else 200


def typed_of(terms: Terms) -> dict[str, str]:
    """Return terms as people type them."""
    texts = {}
    for name, value in terms.content().items():
        if name in (*terms_parsing.LISTS, terms_parsing.UPGRADES):
            texts[name] = ", ".join(map(str, value.values())) if isinstance(value, dict) else ""
        elif isinstance(value, date):
            texts[name] = value.isoformat()
        else:
            texts[name] = "" if value in (None, 0) else sentences.number_of(value)
    return texts


def revision(coupon: Coupon) -> str:
    """Return what differs whenever a code was changed, other than by a use."""
    names = ("code", "live", "active", "stopped", "shelved", "terms_id")
    return conflicts.revision(*(getattr(coupon, name) for name in names))


def _row(coupon: Coupon) -> Any:
    return Coupon.select().where(Coupon.id == coupon.id)


def _of_campaign(coupon: Coupon, bring_back: bool) -> None:
    batch = CampaignBatch.get_by_id(coupon.batch_id)
    run = revocations.reactivate if bring_back else revocations.revoke
    run(batch.campaign.owner, coupon.code)


def _code(coupon: Coupon) -> str:
    batch = Batch.get_or_none(Batch.id == coupon.batch_id)
    return store.shown(coupon.code, coupon.realm, batch, coupon.id)


def _page(coupon: Coupon) -> str:
    terms, today = Terms.by_id(coupon.terms_id), store.today()
    uses = Redemption.select().where(Redemption.coupon_id == coupon.id)
    joined = CampaignBatch.get_or_none(CampaignBatch.batch_id == coupon.batch_id)
    is_legacy = coupon.realm == visibility.LEGACY
    return render_template(
        "code.html",
        coupon=coupon,
        code=_code(coupon),
        terms=terms,
        typed=typed_of(terms),
        state=sentences.state_of(coupon, terms, today),
        sentence=sentences.of_code(coupon, terms, today) if is_legacy else "",
        batch=Batch.get_or_none(Batch.id == coupon.batch_id),
        joined=joined,
        is_legacy=is_legacy,
        uses=keyset.page_of(uses, Redemption.id),
        tries=refused_tries.of_coupon(coupon.id, TRIES),
        reason=sentences.reason,
        quote=quotes.asked(coupon, terms) if is_legacy else None,
        revision=revision(coupon),
    )
