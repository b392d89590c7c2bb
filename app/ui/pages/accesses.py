"""Accesses: who may call the admin API, from where, and which calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from wtforms import StringField
from wtforms.validators import InputRequired, Length

import calls
from app.ui import conflicts
from app.ui.forms import PageForm
from app.ui.roles import ADMIN, needs
from models.access import accesses
from models.access.accesses import NAME_LENGTH, PAIR_LENGTH, Pair
from models.store.errors import Conflict, Invalid

EVERY = "every"
ADDRESSES, CALLS = "Addresses", "Calls"
blueprint = Blueprint("accesses", __name__, url_prefix="/accesses")


class NewAccess(PageForm):
    """Ask for what an access is for and where it may call from."""

    name = StringField(
        "What it is for", [InputRequired("Say what it is for."), Length(max=NAME_LENGTH)]
    )
    rules = StringField("From which addresses", [Length(max=2048)], default="all")


class Addresses(PageForm):
    """Ask for the addresses of an access."""

    rules = StringField("From which addresses", [Length(max=2048)])


@blueprint.get("")
@needs(ADMIN)
def listed() -> Any:
    """List the accesses."""
    return _page(NewAccess())


@blueprint.post("")
@needs(ADMIN, fresh=True)
def add() -> Any:
    """Make an access and show its key, this once."""
    form = NewAccess()
    if form.validate_on_submit():
        try:
            _, pair = accesses.add(form.name.data or "", ip_rule=form.rules.data or "all")
        except (Conflict, Invalid) as problem:
            form.refuse(problem.sentence, "rules")
        else:
            return _page(NewAccess(formdata=None), pair)
    return _page(form), 400


@blueprint.get("/<api_id>")
@needs(ADMIN)
def shown(api_id: str) -> Any:
    """Show an access and the calls that it may use."""
    return _one(api_id, Addresses(rules=_found(api_id).ip_rule))


@blueprint.post("/<api_id>/addresses")
@needs(ADMIN, fresh=True)
def addresses(api_id: str) -> Any:
    """Let an access in from other addresses."""
    form = Addresses()
    if form.validate_on_submit():
        try:
            _unchanged(
                api_id,
                lambda: accesses.admit_from(api_id, form.rules.data or "all"),
                {ADDRESSES: form.rules.data or ""},
            )
        except Invalid as problem:
            form.refuse(problem.sentence, "rules")
        else:
            flash("The addresses are changed.")
            return redirect(url_for("accesses.shown", api_id=api_id), 303)
    return _one(api_id, form), 400


@blueprint.post("/<api_id>/calls")
@needs(ADMIN, fresh=True)
def allow(api_id: str) -> Any:
    """Let an access use every call, or of ours those that are ticked and no others."""
    every = list(calls.registry())
    wanted = [name for name in every if name in request.form.getlist("calls")]

    def deed() -> None:
        # All ticks are not every call: in front of a panel there are those of the panel too.
        if request.form.get("which") == EVERY:
            accesses.allow(api_id, None)
        else:
            accesses.deny(api_id, [name for name in every if name not in wanted], every)
            accesses.allow(api_id, wanted)

    _unchanged(api_id, deed, {CALLS: ", ".join(wanted)})
    flash("The calls are changed.")
    return redirect(url_for("accesses.shown", api_id=api_id), 303)


@blueprint.post("/<api_id>/<any(enable, disable, remove):change>")
@needs(ADMIN, fresh=True)
def change(api_id: str, change: str) -> Any:
    """Switch an access on or off, or remove it."""
    access = _found(api_id)
    if change == "remove":
        _unchanged(api_id, lambda: accesses.remove(api_id))
        flash(f"The access {access.name or api_id} is removed.")
        return redirect(url_for("accesses.listed"), 303)
    _unchanged(api_id, lambda: accesses.enable(api_id, change == "enable"))
    flash(f"The access is {change}d.")
    return redirect(url_for("accesses.shown", api_id=api_id), 303)


def _found(api_id: str) -> accesses.Access:
    return accesses.by_api_id(api_id[: PAIR_LENGTH + 1])


def _unchanged(
    api_id: str, deed: Callable[[], object], typed: dict[str, str] | None = None
) -> None:
    """Do a deed if the access is still that which the form was made of."""
    access = _found(api_id)

    def check(now: accesses.Access) -> None:
        stored = {ADDRESSES: now.ip_rule, CALLS: _calls(now)}
        conflicts.require(
            request.form.get("revision", ""),
            _revision(now),
            typed or {},
            {name: stored[name] for name in typed or {}},
            url_for("accesses.shown", api_id=api_id),
        )

    row = accesses.Access.select().where(accesses.Access.id == access.id)
    conflicts.unchanged(row, check, deed)


def _revision(access: accesses.Access) -> str:
    return conflicts.revision(access.ip_rule, access.calls, access.enabled)


def _calls(access: accesses.Access) -> str:
    return "every call" if access.calls is None else ", ".join(access.calls)


def _page(form: NewAccess, pair: Pair | None = None) -> str:
    return render_template("accesses.html", form=form, accesses=accesses.listed(), pair=pair)


def _one(api_id: str, form: Addresses) -> str:
    access = _found(api_id)
    return render_template(
        "access.html",
        access=access,
        form=form,
        every=list(calls.registry()),
        revision=_revision(access),
    )
