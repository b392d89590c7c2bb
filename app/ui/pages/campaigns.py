"""Campaigns of the REST API: how their codes stand; made and changed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length

from app.ui import conflicts, keyset
from app.ui.forms import PageForm
from app.ui.roles import OPERATOR, VIEWER, needs
from models.campaigns import campaigns
from models.promotions.campaign_counts import (
    NAME_LENGTH,
    PARTNER_LENGTH,
    Campaign,
    CampaignBatch,
    Owner,
)
from models.store import visibility
from models.store.errors import Conflict, Invalid, NotFound

ENVIRONMENTS = {"LIVE": "LIVE", "TEST": "TEST"}
STATUSES = {"active": "running", "paused": "paused", "ended": "ended"}
blueprint = Blueprint("campaigns", __name__, url_prefix="/campaigns")


class NewCampaign(PageForm):
    """Ask for a new campaign."""

    slug = StringField(
        "Short name for addresses", [InputRequired("Say a short name."), Length(max=63)]
    )
    name = StringField("Name", [InputRequired("Say a name."), Length(max=NAME_LENGTH)])
    environment = SelectField("Environment", choices=ENVIRONMENTS)
    partner = StringField("Partner, if any", [Length(max=PARTNER_LENGTH)])


class EditCampaign(PageForm):
    """Ask for what changes in a campaign."""

    name = StringField("Name", [InputRequired("Say a name."), Length(max=NAME_LENGTH)])
    status = SelectField("It is", choices=STATUSES)


@blueprint.route("", methods=["GET"])
@needs(VIEWER)
def listed() -> Any:
    """List the campaigns, newest first."""
    return _page(NewCampaign())


@blueprint.post("")
@needs(OPERATOR)
def add() -> Any:
    """Make a campaign."""
    form = NewCampaign()
    if form.validate_on_submit():
        test = form.environment.data == "TEST"
        owner = Owner(visibility.TEST if test else visibility.LIVE, form.partner.data or "")
        try:
            made = campaigns.add(owner, form.slug.data or "", form.name.data or "")
        except (Conflict, Invalid) as problem:
            form.refuse(problem.sentence, "slug")
        else:
            flash("The campaign is made; its codes come through the REST API.")
            return redirect(url_for("campaigns.shown", campaign_id=made.id), 303)
    return _page(form), 400


@blueprint.get("/<int:campaign_id>")
@needs(VIEWER)
def shown(campaign_id: int) -> Any:
    """Show a campaign and its batches, newest first."""
    found = _found(campaign_id)
    return _one(found, EditCampaign(name=found.name, status=found.status))


@blueprint.post("/<int:campaign_id>")
@needs(OPERATOR)
def edit(campaign_id: int) -> Any:
    """Change a campaign."""
    found, form = _found(campaign_id), EditCampaign()

    def check(now: Campaign) -> None:
        typed = {"Name": form.name.data or "", "It is": STATUSES.get(form.status.data, "")}
        stored = {"Name": now.name, "It is": STATUSES[now.status]}
        again = url_for("campaigns.shown", campaign_id=campaign_id)
        conflicts.require(request.form.get("revision", ""), _revision(now), typed, stored, again)

    check(found)
    if form.validate_on_submit():
        changes = {"name": form.name.data, "status": form.status.data}
        row = Campaign.select().where(Campaign.id == campaign_id)
        try:
            conflicts.unchanged(
                row, check, lambda: campaigns.edit(found.owner, found.slug, **changes)
            )
        except Invalid as problem:
            form.refuse(problem.sentence, "name")
        else:
            flash("The campaign is changed.")
            return redirect(url_for("campaigns.shown", campaign_id=campaign_id), 303)
    return _one(found, form), 400


def _revision(campaign: Campaign) -> str:
    return conflicts.revision(campaign.name, campaign.status)


def _found(campaign_id: int) -> Campaign:
    found = Campaign.get_or_none(Campaign.id == campaign_id)
    if found is None:
        raise NotFound(f"There is no campaign {campaign_id}", "campaign_not_found")
    return found


def _page(form: NewCampaign) -> str:
    return render_template(
        "campaigns.html",
        form=form,
        page=keyset.page_of(Campaign.select(), Campaign.id),
        environment=visibility.environment_name,
    )


def _one(campaign: Campaign, form: EditCampaign) -> str:
    mine = CampaignBatch.select().where(CampaignBatch.campaign == campaign)
    return render_template(
        "campaign.html",
        campaign=campaign,
        form=form,
        batches=keyset.page_of(mine, CampaignBatch.number),
        revision=_revision(campaign),
        environment=visibility.environment_name(campaign.environment),
    )
