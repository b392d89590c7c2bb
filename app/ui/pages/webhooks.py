"""Webhooks: who is told of events, what was delivered, and again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from wtforms import BooleanField, DateField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from app.ui.application import zone
from app.ui.forms import PageForm
from app.ui.keyset import KeysetPage, page_from, place
from app.ui.roles import ADMIN, needs
from app.webhooks import outgoing, secrets
from app.webhooks.secrets import Seal
from models.store import clock, visibility
from models.store.errors import PromoError
from models.webhooks import deliveries, webhooks
from models.webhooks.webhooks import EVENTS, FORMATS, NAME_LENGTH, URL_LENGTH, Webhook

ENVIRONMENTS = {"LIVE": visibility.LIVE, "TEST": visibility.TEST}
ROWS = 50
BY_PERSON = "Somebody has disabled it on its page"
blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")


class NewWebhook(PageForm):
    """Ask where events go, which ones, and in which form."""

    url = StringField("Address", [InputRequired("Say where to send."), Length(max=URL_LENGTH)])
    events = SelectMultipleField(
        "Events",
        choices=EVENTS,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    format = SelectField("Form", choices=FORMATS)
    environment = SelectField("Environment", choices=list(ENVIRONMENTS))
    partner = StringField("Partner, if it is told of theirs alone", [Length(max=NAME_LENGTH)])
    full_codes = BooleanField("Codes in full, not masked")


class Again(PageForm):
    """Ask from which day on events are sent again."""

    since = DateField("From this day", [InputRequired("Say from which day.")])
    everything = BooleanField("Also what was received")


@blueprint.get("")
@needs(ADMIN)
def listed() -> Any:
    """List the webhooks."""
    return _list(NewWebhook())


@blueprint.post("")
@needs(ADMIN, fresh=True)
def add() -> Any:
    """Make a webhook and show its secret, this once."""
    form = NewWebhook()
    if form.validate_on_submit():
        secret = secrets.new()
        try:
            outgoing.check_url(form.url.data, [])
            made = webhooks.add(
                form.url.data,
                form.events.data,
                _seal().sealed(secret),
                ENVIRONMENTS[form.environment.data],
                form.partner.data or None,
                format=form.format.data,
                full_codes=form.full_codes.data,
            )
        except PromoError as problem:
            form.refuse(problem.sentence, "events" if problem.key == "events_unknown" else "url")
        else:
            return _page(made, Again(formdata=None), secret)
    return _list(form), 400


@blueprint.get("/<int:webhook_id>")
@needs(ADMIN)
def shown(webhook_id: int) -> Any:
    """Show a webhook and what it was sent."""
    return _page(webhooks.by_id(webhook_id), Again(formdata=None))


@blueprint.post("/<int:webhook_id>/<any(disable, enable, test, remove):change>")
@needs(ADMIN)
def change(webhook_id: int, change: str) -> Any:
    """Switch a webhook off or on, send it a test, or delete it."""
    webhook = webhooks.by_id(webhook_id)
    if change == "remove":
        deliveries.remove(webhook_id)
        flash("The webhook is removed.")
        return redirect(url_for("webhooks.listed"), 303)
    if change == "test":
        deliveries.send_test(webhook)
        flash("A test is on its way: its row below says how it went, in a moment.")
    elif change == "enable":
        webhooks.enable(webhook_id)
        flash("The webhook is enabled. What it was not sent meanwhile you can send again.")
    else:
        webhooks.disable(webhook_id, BY_PERSON)
        flash("The webhook is disabled.")
    return redirect(url_for("webhooks.shown", webhook_id=webhook_id), 303)


@blueprint.post("/<int:webhook_id>/rotate")
@needs(ADMIN, fresh=True)
def rotate(webhook_id: int) -> Any:
    """Give a webhook another secret and show it, this once."""
    secret = secrets.new()
    webhook = webhooks.rotate(webhook_id, _seal().sealed(secret))
    return _page(webhook, Again(formdata=None), secret)


@blueprint.post("/<int:webhook_id>/resend")
@needs(ADMIN)
def resend(webhook_id: int) -> Any:
    """Send again what was not received since a day."""
    form = Again()
    webhook = webhooks.by_id(webhook_id)
    if not form.validate_on_submit():
        return _page(webhook, form), 400
    since = clock.midnight(form.since.data, zone())
    count = deliveries.resend(webhook, since, form.everything.data)
    flash(f"{count:,} events are sent again." if count else "There is nothing to send again.")
    return redirect(url_for("webhooks.shown", webhook_id=webhook_id), 303)


def _list(form: NewWebhook) -> str:
    return render_template("webhooks.html", form=form, webhooks=webhooks.listed(), **_shared())


def _page(webhook: Webhook, form: Again, secret: str = "") -> str:
    at = place()
    found = deliveries.page(webhook.id, at.before, ROWS + 1)
    rows = [due.event for due in found[:ROWS]]
    events = page_from(rows, "id", at._replace(after=None), len(found) > ROWS)
    page = KeysetPage(found[:ROWS], None, events.older)
    return render_template(
        "webhook.html", webhook=webhook, form=form, page=page, secret=secret, **_shared()
    )


def _shared() -> dict[str, Any]:
    return {"environment": visibility.environment_name, "state": _state}


def _state(webhook: Webhook) -> str:
    if not webhook.enabled:
        return "Stopped"
    return "Failing" if webhook.failing_since is not None else "Active"


def _seal() -> Seal:
    return Seal(current_app.config["SETTINGS"])
