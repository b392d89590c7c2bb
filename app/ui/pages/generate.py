"""Generate a batch: what is wanted, ten codes to look at, and then the codes."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from app.ui import sentences
from app.ui.roles import OPERATOR, needs
from app.ui.typed import TypedForm
from calls import WrongParameters
from calls.add_promo_batch import Arguments
from calls.wire import editing
from calls.wire.batch_arguments import LARGEST_SIZE, Size
from models.promotions import batch_jobs, batch_life, generation
from models.promotions.terms import Terms
from models.store.errors import PromoError

MOST = 5_000_000
"""The most codes of a batch."""
EXAMPLES = 10
FIELDS = (
    *("name", "size", "prefix", "length", "readable", "coupon_type", "clients", "type", "value"),
    *("applyto", "cycle", "expires", "max_usage", "max_client_usage", "min_cart_amount"),
    *("client_id", "products", "cycles", "notes"),
)
DEFAULTS = {
    **{"size": "100", "length": "12", "readable": "1", "coupon_type": "cart", "clients": "all"},
    **{"type": "percent", "applyto": "price", "cycle": "once", "max_usage": "1"},
}
DRAWN = ("name", "prefix", "size", "complexity", "length")
blueprint = Blueprint("generate", __name__, url_prefix="/batches/new")


class NewBatch(Arguments):
    """Declare a batch that may be too large for one request."""

    size = Size(maximum=MOST)


@blueprint.route("", methods=["GET", "POST"])
@needs(OPERATOR)
def asked() -> Any:
    """Ask for a batch, show what it would be, and make it when that is confirmed."""
    form = TypedForm(NewBatch, FIELDS, held=DEFAULTS)
    given = form.loaded() if request.method == "POST" else None
    if given is None or "back" in request.form:
        return render_template("generate.html", form=form), 400 if form.errors else 200
    drawn = {name: given.pop(name) for name in DRAWN}
    try:
        terms = editing.drafted(Terms(), given)
        if "confirmed" in request.form:
            return _made(drawn, terms, given.get("notes", ""))
    except (PromoError, WrongParameters) as problem:
        form.refuse(problem)
        return render_template("generate.html", form=form), 400
    letters = generation.alphabet(drawn["complexity"])
    ends = generation.draw(EXAMPLES, letters, drawn["length"])
    return render_template(
        "generate_preview.html",
        form=form,
        drawn=drawn,
        sentence=sentences.of_terms(terms),
        examples=[drawn["prefix"] + end for end in ends],
        by_worker=drawn["size"] > LARGEST_SIZE,
    )


def _made(drawn: dict[str, Any], terms: Terms, notes: str) -> Any:
    name, size = drawn.pop("name"), drawn.pop("size")
    make = batch_jobs.add if size > LARGEST_SIZE else batch_life.make
    batch = make(name, terms.stored(), size, notes=notes, **drawn)
    if size <= LARGEST_SIZE:
        flash(f"{size:,} codes were made.")
    return redirect(url_for("batches.shown", batch_id=batch.id), 303)
