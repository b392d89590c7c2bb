"""Users: who may use the pages, and as what."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length

from app.ui.forms import PageForm
from app.ui.roles import ADMIN, needs
from models.people import invites, users
from models.people.users import ROLES
from models.store.errors import Conflict, Invalid

EXPLAINED = {
    "viewer": "viewer - sees everything but keys and users",
    "operator": "operator - also changes promotions",
    "admin": "admin - also changes who may do what",
}
blueprint = Blueprint("users", __name__, url_prefix="/users")


class NewUser(PageForm):
    """Ask for a name and a role."""

    name = StringField("Name", [InputRequired("Say a name."), Length(max=users.NAME_LENGTH)])
    role = SelectField("Role", choices=EXPLAINED)


@blueprint.get("")
@needs(ADMIN)
def listed() -> Any:
    """List the users."""
    return _page(NewUser())


@blueprint.post("")
@needs(ADMIN, fresh=True)
def add() -> Any:
    """Make a user and show the link of the invitation, this once."""
    form = NewUser()
    if form.validate_on_submit():
        try:
            user = users.add((form.name.data or "").strip(), form.role.data)
        except (Conflict, Invalid) as problem:
            form.refuse(problem.sentence, "name")
        else:
            return _page(NewUser(formdata=None), invited=user, link=_link(invites.make(user)))
    return _page(form), 400


@blueprint.post("/<int:user_id>/<any(role, disable, enable, reset):change>")
@needs(ADMIN, fresh=True)
def changed(user_id: int, change: str) -> Any:
    """Change a user."""
    if change == "role":
        user = users.set_role(user_id, request.form.get("role", ""))
        flash(f"{user.name} has the role {user.role} now.")
    elif change == "reset":
        user = users.reset(user_id)
        return _page(NewUser(), invited=user, link=_link(invites.make(user)))
    else:
        user = users.enable(user_id, change == "enable")
        flash(f"{user.name} is {'enabled' if user.enabled else 'disabled'}.")
    return redirect(url_for("users.listed"), 303)


def _page(form: NewUser, **shown: Any) -> str:
    return render_template("users.html", form=form, users=users.listed(), roles=ROLES, **shown)


def _link(token: str) -> str:
    return url_for("log_in.invited", token=token, _external=True)
