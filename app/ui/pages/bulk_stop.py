"""Stop codes by a pasted list: what would happen, the change, and an undo."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from app.ui import store
from app.ui.forms import PageForm
from app.ui.roles import OPERATOR, needs
from models.campaigns import bulk_stops
from models.campaigns.bulk_stops import MOST
from models.store import audit
from models.store.errors import Invalid

TEXT_LENGTH = 1_048_576
UNKNOWN_SHOWN = 100
blueprint = Blueprint("bulk_stop", __name__, url_prefix="/stop")


class Stop(PageForm):
    """Ask for a list of codes and why they are stopped."""

    codes = TextAreaField(
        "Codes, one a line", [InputRequired("Paste some codes."), Length(max=TEXT_LENGTH)]
    )
    reason = StringField("Why are they stopped?", [InputRequired("Say why."), Length(max=200)])


@blueprint.route("", methods=["GET", "POST"])
@needs(OPERATOR)
def start() -> Any:
    """Ask for codes, say what would happen, and stop them when that is confirmed."""
    form = Stop()
    if not form.validate_on_submit():
        return render_template("stop.html", form=form, most=MOST), 400 if form.errors else 200
    try:
        codes = bulk_stops.read(form.codes.data or "")
    except Invalid as problem:
        form.refuse(problem.sentence, "codes")
        return render_template("stop.html", form=form, most=MOST), 400
    found = bulk_stops.find(codes)
    if "confirmed" not in request.form:
        unknown = found.unknown[:UNKNOWN_SHOWN]
        return render_template("stop_preview.html", form=form, found=found, unknown=unknown)
    with audit.because(form.reason.data or ""):
        entry = bulk_stops.stop([coupon.id for coupon in found.coupons])
    if entry is None:
        flash("All of these were stopped before: nothing was changed.")
        return redirect(url_for("bulk_stop.start"), 303)
    return redirect(url_for("bulk_stop.done", entry_id=entry.id), 303)


@blueprint.get("/<int:entry_id>")
@needs(OPERATOR)
def done(entry_id: int) -> str:
    """Show what was stopped, with its undo."""
    return render_template("stop_done.html", entry=_entry(entry_id))


@blueprint.post("/<int:entry_id>/undo")
@needs(OPERATOR)
def undo(entry_id: int) -> Any:
    """Let the codes be used again that nobody changed since."""
    back = bulk_stops.undo(entry_id, store.today())
    flash(f"Codes that can be used again: {back:,}.")
    return redirect(url_for("bulk_stop.done", entry_id=entry_id), 303)


def _entry(entry_id: int) -> audit.AuditEntry:
    return audit.by_id(entry_id, bulk_stops.KIND)
