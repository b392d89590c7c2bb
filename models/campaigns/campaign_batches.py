"""Batches of a campaign: found, listed, and how many of their codes have expired."""

from __future__ import annotations

from typing import Any

from peewee import fn

from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.store import clock
from models.store.errors import NotFound


def by_uuid(campaign: Campaign, uuid: str) -> CampaignBatch:
    """Return a batch of the campaign. Raises NotFound."""
    found = CampaignBatch.get_or_none(uuid=uuid, campaign=campaign)
    if found is None:
        raise NotFound("Batch not found", "batch_not_found")
    return found


def owned(owner: Owner, uuid: str) -> CampaignBatch:
    """Return a batch of any campaign of the owner. Raises NotFound."""
    found = CampaignBatch.get_or_none(uuid=uuid)
    if found is None or found.campaign.owner != owner:
        raise NotFound("Batch not found", "batch_not_found")
    return found


def newest(campaign: Campaign, until: int, page: int, limit: int) -> list[CampaignBatch]:
    """Return a page, counted from 1, of the batches numbered up to `until`, newest first."""
    last = until - (page - 1) * limit
    query: Any = CampaignBatch.select(CampaignBatch, Campaign).join(Campaign)
    return list(
        query.where(
            CampaignBatch.campaign == campaign,
            CampaignBatch.number.between(last - limit + 1, last),
        ).order_by(CampaignBatch.number.desc())
    )


def expired_codes(campaign: Campaign) -> int:
    """Return how many codes can no longer be used only because their time has passed."""
    left = CampaignBatch.total - CampaignBatch.redeemed - CampaignBatch.revoked
    return (
        CampaignBatch.select(fn.COALESCE(fn.SUM(left), 0))
        .where(CampaignBatch.campaign == campaign, CampaignBatch.expires_at <= clock.now())
        .scalar()
    )
