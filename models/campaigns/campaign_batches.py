"""Batches of a campaign: added, listed, and how many of their codes have expired."""

from __future__ import annotations

from typing import Any

from peewee import fn

from models.promotions import campaign_counts
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.store import clock
from models.store.errors import NotFound


def add(campaign: Campaign, batch_id: int, **fields: Any) -> CampaignBatch:
    """Make a batch one of the campaign's; the caller's transaction is where it happens."""
    campaign_counts.count_campaign(campaign.id, batches=1)
    number = Campaign.get_by_id(campaign.id).batches
    return CampaignBatch.create(
        batch_id=batch_id,
        uuid=clock.random_uuid(),
        campaign_id=campaign.id,
        number=number,
        created_at=clock.now(),
        **fields,
    )


def by_uuid(campaign: Campaign, uuid: str) -> CampaignBatch:
    """Return a batch of the campaign. Raises NotFound."""
    found = CampaignBatch.get_or_none(
        CampaignBatch.uuid == uuid, CampaignBatch.campaign_id == campaign.id
    )
    if found is None:
        raise NotFound("Batch not found", "batch_not_found")
    return found


def owned(owner: Owner, uuid: str) -> tuple[Campaign, CampaignBatch]:
    """Return a batch of the owner with its campaign. Raises NotFound."""
    found = CampaignBatch.get_or_none(CampaignBatch.uuid == uuid)
    if found is not None:
        campaign = Campaign.get_by_id(found.campaign_id)
        if campaign.owner == owner:
            return campaign, found
    raise NotFound("Batch not found", "batch_not_found")


def newest(campaign: Campaign, until: int, page: int, limit: int) -> list[CampaignBatch]:
    """Return a page, counted from 1, of the batches numbered up to `until`, newest first."""
    last = until - (page - 1) * limit
    return list(
        CampaignBatch.select()
        .where(
            CampaignBatch.campaign_id == campaign.id,
            CampaignBatch.number.between(last - limit + 1, last),
        )
        .order_by(CampaignBatch.number.desc())
    )


def expired_codes(campaign: Campaign) -> int:
    """Return how many codes can no longer be used only because their time has passed."""
    left = CampaignBatch.total - CampaignBatch.redeemed - CampaignBatch.revoked
    return (
        CampaignBatch.select(fn.COALESCE(fn.SUM(left), 0))
        .where(
            CampaignBatch.campaign_id == campaign.id,
            CampaignBatch.expires_at <= clock.now(),
        )
        .scalar()
    )
