"""One's own password and sessions."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, session, url_for
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from app.ui.pages.log_in import NewPassword
from app.ui.roles import TOKEN, VIEWER, current_session, current_user, log_in, needs
from models.people import passwords, sessions, users
from models.store.errors import Invalid

blueprint = Blueprint("profile", __name__, url_prefix="/profile")


class ChangePassword(NewPassword):
    """Ask for a new password, twice."""

    password = PasswordField(
        "New password", [InputRequired("Say a password."), Length(max=passwords.LONGEST)]
    )


@blueprint.get("")
@needs(VIEWER)
def shown() -> Any:
    """Show the sessions and the form of a new password."""
    return _page(ChangePassword())


@blueprint.post("/password")
@needs(VIEWER, fresh=True)
def password() -> Any:
    """Set a password: all sessions end, and a new one begins."""
    form, user = ChangePassword(), current_user()
    if user is not None and form.validate_on_submit() and form.same():
        try:
            users.set_password(user, form.password.data or "")
        except Invalid as problem:
            form.refuse(problem.sentence, "password")
        else:
            log_in(user)
            flash("Your password is changed; all other sessions are ended.")
            return redirect(url_for("profile.shown"), 303)
    return _page(form), 400


@blueprint.post("/end-others")
@needs(VIEWER)
def end_others() -> Any:
    """End all sessions but this one."""
    ended = sessions.end_others(current_session().user_id, session[TOKEN])
    flash(f"Other sessions that were ended: {ended}.")
    return redirect(url_for("profile.shown"), 303)


def _page(form: ChangePassword) -> str:
    here = current_session()
    return render_template(
        "profile.html", form=form, sessions=sessions.of_user(here.user_id), here=here
    )
