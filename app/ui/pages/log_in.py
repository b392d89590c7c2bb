"""Log in and out, show the password again, and take up an invitation."""

from __future__ import annotations

from typing import Any

from flask import (
    Blueprint,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from app.ui.forms import PageForm
from app.ui.roles import (
    TOKEN,
    VIEWER,
    current_user,
    log_in,
    log_out,
    needs,
    open_to_all,
    page_after,
)
from models.people import invites, passwords, sessions, users
from models.people.users import PageUser
from models.store.errors import Invalid

WRONG = "The name or the password is wrong."
NAME = "page:"
"""What names of users begin with where wrong tries are counted: those of accesses have none."""
blueprint = Blueprint("log_in", __name__)


class LogIn(PageForm):
    """Ask for a name and a password."""

    name = StringField("Name", [InputRequired("Say your name."), Length(max=users.NAME_LENGTH)])
    password = PasswordField(
        "Password", [InputRequired("Say your password."), Length(max=passwords.LONGEST)]
    )
    next = HiddenField()


class Again(PageForm):
    """Ask for the password once more."""

    password = PasswordField(
        "Password", [InputRequired("Say your password."), Length(max=passwords.LONGEST)]
    )
    next = HiddenField()


class NewPassword(PageForm):
    """Ask for a new password, twice."""

    password = PasswordField("New password", [Length(max=passwords.LONGEST)])
    repeated = PasswordField("The same again", [Length(max=passwords.LONGEST)])

    def same(self) -> bool:
        """Tell whether both are the same; say so beside the second where they are not."""
        if self.password.data == self.repeated.data:
            return True
        self.refuse("The two are not the same.", "repeated")
        return False


@blueprint.route("/log-in", methods=["GET", "POST"])
@open_to_all
def asked() -> Any:
    """Log in."""
    form = LogIn(next=request.args.get("next", ""))
    if form.validate_on_submit():
        user = _authenticated(form.name.data or "", form.password.data or "")
        if user is not None:
            log_in(user)
            users.note_seen(user)
            return redirect(page_after(form.next.data or ""), 303)
        form.refuse(WRONG)
    elif current_user() is not None and request.method == "GET":
        return redirect(page_after(request.args.get("next", "")), 303)
    return render_template("log_in.html", form=form), 401 if form.errors else 200


@blueprint.route("/log-in/again", methods=["GET", "POST"])
@needs(VIEWER)
def again() -> Any:
    """Show the password again."""
    form = Again(next=request.args.get("next", ""))
    user = current_user()
    if form.validate_on_submit() and user is not None:
        if _authenticated(user.name, form.password.data or ""):
            sessions.prove(session[TOKEN])
            return redirect(page_after(form.next.data or ""), 303)
        form.refuse("The password is wrong.", "password")
    return render_template("log_in_again.html", form=form), 401 if form.errors else 200


@blueprint.post("/log-out")
@needs(VIEWER)
def out() -> Any:
    """Log out."""
    log_out()
    flash("You are logged out.")
    return redirect(url_for("log_in.asked"), 303)


@blueprint.route("/invite/<token>", methods=["GET", "POST"])
@open_to_all
def invited(token: str) -> Any:
    """Set a password, or log in once; to look at the page uses nothing up."""
    limits, address = current_app.config["LIMITS"], request.remote_addr or ""
    limits.may_guess(address, "")
    try:
        found, user = invites.by_token(token)
    except Exception:
        limits.wrong_credentials(address)
        raise
    form = NewPassword()
    if form.validate_on_submit() and (found.logs_in or form.same()):
        try:
            user = invites.consume(token, form.password.data)
        except Invalid as problem:
            form.refuse(problem.sentence, "password")
        else:
            log_in(user)
            users.note_seen(user)
            return redirect(page_after(""), 303)
    status = 400 if form.errors else 200
    return render_template("invite.html", form=form, invited=user, asks=not found.logs_in), status


def _authenticated(name: str, password: str) -> PageUser | None:
    """Return the user of a name and password. Raises TooMany for who is locked out, unlooked at."""
    limits, address = current_app.config["LIMITS"], request.remote_addr or ""
    counted = NAME + name.casefold()
    limits.may_guess(address, counted)
    user = users.authenticated(name, password)
    if user is None:
        limits.wrong_credentials(address, counted)
    return user
