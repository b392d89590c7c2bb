"""Routes of campaigns."""

from __future__ import annotations

from typing import Any

from app.rest import answers, asked
from app.rest.endpoint import Answer, Caller, Route
from models.campaigns import campaigns
from models.promotions.campaign_counts import Campaign
from models.store import visibility


def shown(campaign: Campaign) -> dict[str, Any]:
    """Return a campaign as its schema names it."""
    return {
        "id": campaign.uuid,
        "slug": campaign.slug,
        "name": campaign.name,
        "status": campaign.status.upper(),
        "environment": visibility.environment_name(campaign.environment),
        "startsAt": campaign.starts_at,
        "endsAt": campaign.ends_at,
        "createdAt": campaign.created_at,
    }


def add(
    caller: Caller,
    slug: str,
    name: str,
    status: str,
    starts_at: int | None,
    ends_at: int | None,
) -> Answer:
    """Make a campaign in the environment of the secret."""
    made = campaigns.add(caller.owner, slug, name, status.lower(), starts_at, ends_at)
    return Answer(shown(made))


ROUTES = [
    Route(
        "POST",
        "/campaigns",
        add,
        answers.Campaign,
        body=asked.CampaignBody,
        refusals={409: ["There is a campaign summer-promo already"]},
        changes=True,
    )
]
