"""Find: one field for a code, a client, an invoice, an order, a user or a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from flask import Blueprint, redirect, render_template, session, url_for
from peewee import fn
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from app.ui import store
from app.ui.forms import TEXT_LENGTH, PageForm
from app.ui.roles import VIEWER, needs
from models.campaigns import code_list
from models.promotions import coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.redemptions.redemption import Redemption
from models.store.errors import NotFound

BATCHES = 20
"""Batches that are listed at most."""
LARGEST_NUMBER = 2**31 - 1
NUMBERED = {
    "client_id": "The client {} used codes",
    "invoice_id": "Codes were used on the invoice {}",
    "order_id": "Codes were used on the order {}",
}
blueprint = Blueprint("find", __name__)


class Find(PageForm):
    """Ask for whatever the person has at hand. It is posted: a code must not be in an address."""

    text = StringField(
        "A code, a client or invoice number, an order, a user or a batch",
        [InputRequired("Type something to look for."), Length(max=TEXT_LENGTH)],
    )


class Match(NamedTuple):
    """Hold what was found, why it matches, and where it is shown."""

    what: str
    why: str
    address: str


@blueprint.route("/", methods=["GET", "POST"])
@needs(VIEWER)
def start() -> Any:
    """Find something; a single match is shown at once."""
    form = Find()
    matches: list[Match] | None = None
    if form.validate_on_submit():
        matches = [*found((form.text.data or "").strip())]
        if len(matches) == 1:
            return redirect(matches[0].address, 303)
    return render_template("find.html", form=form, matches=matches), 400 if form.errors else 200


def found(text: str) -> Iterator[Match]:
    """Yield what a text can mean, the likeliest first."""
    if "\0" in text or not text:
        return
    text = text.encode(errors="replace").decode()
    yield from _codes(text)
    if text.isascii() and text.isdecimal() and int(text) <= LARGEST_NUMBER:
        for name, why in NUMBERED.items():
            if Redemption.select().where(getattr(Redemption, name) == int(text)).exists():
                asked: dict[str, Any] = {name: text}
                address = url_for("redemptions.listed", **asked)
                what = f"Redemptions of {name.removesuffix('_id')} {text}"
                yield Match(what, why.format(text), address)
    if Redemption.select().where(Redemption.user_id == text).exists():
        address = url_for("redemptions.listed", user_id=text)
        yield Match(f"Redemptions of the user {text}", "The user redeemed codes", address)
    # Only now: it is the one look-up that reads more than it finds.
    named = fn.LOWER(Batch.name).contains(text.lower())
    for batch in Batch.select().where(named).order_by(Batch.id.desc()).limit(BATCHES):
        address = url_for("batches.shown", batch_id=batch.id)
        yield Match(batch.name, "The batch has this in its name", address)


def _codes(text: str) -> Iterator[Match]:
    hits: dict[int, Coupon] = {}
    with suppress(NotFound):
        coupon = coupons.by_code(text)
        hits[coupon.id] = coupon
    for each in code_list.everywhere(text):
        hits.setdefault(each.coupon.id, each.coupon)
    for coupon in hits.values():
        session[store.TYPED] = [coupon.id, coupon.code]
        batch = Batch.get_or_none(Batch.id == coupon.batch_id)
        code = store.shown(coupon.code, coupon.realm, batch, coupon.id)
        place = f"A code of the batch {batch.name}" if batch else "A code that stands alone"
        yield Match(code, place, url_for("codes.shown", coupon_id=coupon.id))
