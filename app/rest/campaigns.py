"""Routes of campaigns."""

from __future__ import annotations

from typing import Any

from app.rest.authentication import current_caller
from app.rest.blueprint import RestBlueprint
from app.rest.requests import CampaignRequest
from app.rest.responses import CampaignResponse
from models.campaigns import campaigns
from models.promotions.campaign_counts import Campaign

blueprint = RestBlueprint("campaigns")


@blueprint.post("/campaigns")
@blueprint.operation("campaigns_add", {409: "There is a campaign summer-promo already"})
@blueprint.arguments(CampaignRequest)
@blueprint.idempotent()
@blueprint.response(200, CampaignResponse)
def add(status: str = "ACTIVE", **fields: Any) -> Campaign:
    """Make a campaign in the environment of the secret."""
    return campaigns.add(current_caller.owner, status=status.lower(), **fields)
