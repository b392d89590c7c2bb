"""Secrets: who may use the REST API."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length

from app.ui.forms import PageForm
from app.ui.roles import ADMIN, needs
from models.access import secrets
from models.access.secrets import NAME_LENGTH
from models.promotions.campaign_counts import PARTNER_LENGTH, Owner
from models.store import visibility
from models.store.errors import Conflict, Invalid

ENVIRONMENTS = {"LIVE": "LIVE", "TEST": "TEST"}
blueprint = Blueprint("secrets", __name__, url_prefix="/secrets")


class NewSecret(PageForm):
    """Ask which application a secret is for and what it opens."""

    name = StringField(
        "Application", [InputRequired("Say what it is for."), Length(max=NAME_LENGTH)]
    )
    environment = SelectField("Environment", choices=ENVIRONMENTS)
    partner = StringField("Partner, if any", [Length(max=PARTNER_LENGTH)])


@blueprint.get("")
@needs(ADMIN)
def listed() -> Any:
    """List the secrets by their last characters."""
    return _page(NewSecret())


@blueprint.post("")
@needs(ADMIN, fresh=True)
def add() -> Any:
    """Make a secret and show it, this once."""
    form = NewSecret()
    if form.validate_on_submit():
        test = form.environment.data == "TEST"
        owner = Owner(visibility.TEST if test else visibility.LIVE, form.partner.data or "")
        try:
            _, text = secrets.add(owner, form.name.data or "")
        except (Conflict, Invalid) as problem:
            form.refuse(problem.sentence)
        else:
            return _page(NewSecret(formdata=None), text)
    return _page(form), 400


@blueprint.post("/<int:secret_id>/<any(revoke, deactivate, activate):change>")
@needs(ADMIN, fresh=True)
def change(secret_id: int, change: str) -> Any:
    """End a secret for good, or switch its application off and on."""
    if change == "revoke":
        secrets.revoke(secret_id)
    else:
        secrets.activate(secret_id, change == "activate")
    flash(f"The secret is {change}d.")
    return redirect(url_for("secrets.listed"), 303)


def _page(form: NewSecret, text: str = "") -> str:
    return render_template(
        "secrets.html",
        form=form,
        secrets=secrets.listed(),
        text=text,
        environment=visibility.environment_name,
    )
