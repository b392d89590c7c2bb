"""Routes of campaigns and of those who take part in them."""

from __future__ import annotations

from typing import Any

from app.rest.authentication import current_caller
from app.rest.blueprint import RestBlueprint
from app.rest.requests import CampaignPageQuery, CampaignRequest, EmptyRequest, LeaderboardQuery
from app.rest.responses import (
    CampaignPageResponse,
    CampaignResponse,
    LeaderboardResponse,
    ParticipantResponse,
)
from models.campaigns import campaigns
from models.promotions.campaign_counts import Campaign
from models.redemptions import players
from models.redemptions.players import Standing
from models.store.errors import NotFound

blueprint = RestBlueprint("campaigns")


@blueprint.post("/campaigns")
@blueprint.operation("campaigns_add", {409: "There is a campaign summer-promo already"})
@blueprint.arguments(CampaignRequest)
@blueprint.idempotent()
@blueprint.response(200, CampaignResponse)
def add(status: str = "ACTIVE", **fields: Any) -> Campaign:
    """Make a campaign in the environment of the secret."""
    return campaigns.add(current_caller.owner, status=status.lower(), **fields)


@blueprint.get("/campaigns")
@blueprint.operation("campaigns_list")
@blueprint.arguments(CampaignPageQuery, location="query")
@blueprint.response(200, CampaignPageResponse)
def list_(limit: int, cursor: str = "") -> dict[str, Any]:
    """List the campaigns of the environment and the partner of the secret, by slug."""
    found = campaigns.page(current_caller.owner, cursor, limit)
    following = found[-1].slug if len(found) == limit else None
    return {"campaigns": found, "next_cursor": following, "limit": limit}


@blueprint.get("/campaigns/<slug>/participants/<path:userId>")
@blueprint.operation("campaigns_show_participant", {404: "Campaign or participant not found"})
@blueprint.arguments(EmptyRequest, location="query")
@blueprint.response(200, ParticipantResponse)
def show_participant(slug: str, userId: str) -> Standing:
    """Show the points and the rank of a user in a campaign."""
    campaign = campaigns.by_slug_or_none(current_caller.owner, slug)
    found = None if campaign is None else players.standing(campaign.id, userId)
    if found is None:
        raise NotFound("Campaign or participant not found", "participant_not_found")
    return found


@blueprint.get("/campaigns/<slug>/leaderboard")
@blueprint.operation("campaigns_show_leaderboard", {404: "Campaign not found"})
@blueprint.arguments(LeaderboardQuery, location="query")
@blueprint.response(200, LeaderboardResponse)
def show_leaderboard(slug: str, limit: int) -> dict[str, Any]:
    """Show who has the most points in a campaign."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    return {
        "entries": players.leaders(campaign.id, limit),
        "total_participants": players.participants(campaign.id),
    }
