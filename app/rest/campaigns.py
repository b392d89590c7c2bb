"""Routes of campaigns."""

from __future__ import annotations

from typing import Any

from app.rest.authentication import current_caller
from app.rest.blueprint import RestBlueprint
from app.rest.requests import CampaignRequest
from app.rest.responses import CampaignResponse
from models.campaigns import campaigns
from models.store import visibility

blueprint = RestBlueprint("campaigns")


@blueprint.post("/campaigns")
@blueprint.operation("campaigns_add", {409: "There is a campaign summer-promo already"})
@blueprint.arguments(CampaignRequest)
@blueprint.idempotent()
@blueprint.response(200, CampaignResponse)
def add(
    slug: str, name: str, status: str, starts_at: int | None, ends_at: int | None
) -> dict[str, Any]:
    """Make a campaign in the environment of the secret."""
    owner = current_caller.owner
    campaign = campaigns.add(owner, slug, name, status.lower(), starts_at, ends_at)
    return {
        "id": campaign.uuid,
        "slug": campaign.slug,
        "name": campaign.name,
        "status": campaign.status.upper(),
        "environment": visibility.environment_name(campaign.environment),
        "starts_at": campaign.starts_at,
        "ends_at": campaign.ends_at,
        "created_at": campaign.created_at,
    }
