"""Tell of what ends by its time alone: codes of campaigns that expire, campaigns that are over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import fn

from models.promotions import event_facts
from models.promotions.batches import Batch
from models.promotions.campaign_counts import ENDED, Campaign, CampaignBatch
from models.store import clock, visibility
from models.store.base import change, retried
from models.webhooks import events
from models.webhooks.events import Facts
from models.webhooks.webhooks import CAMPAIGN_ENDED, EXPIRED, Webhook

BACK_SECONDS = 7 * 86_400
"""How far back a sweep looks: for as long nothing may have run and nothing is missed."""
DAY_SECONDS = 86_400
CHUNK = 500
"""Endings that are told in one transaction."""


def sweep() -> None:
    """Write events of what has ended since the oldest webhook was made, each once."""
    oldest = Webhook.select(fn.MIN(Webhook.created_at)).scalar()
    if oldest is None:
        return
    now = clock.now()
    since = max(oldest, now - BACK_SECONDS)
    batches: Any = (
        CampaignBatch.select(CampaignBatch, Batch.realm)
        .join(Batch, on=(Batch.id == CampaignBatch.batch_id), attr="batch")
        .where(CampaignBatch.expires_at.between(since, now))
        .order_by(CampaignBatch.expires_at)
    )
    over = Campaign.select().where(Campaign.ends_at.between(since, now), Campaign.status != ENDED)
    found = [*batches, *over]
    for at in range(0, len(found), CHUNK):
        _tell_all(found[at : at + CHUNK])


def tell_ended(campaign: Campaign, at: int) -> None:
    """Write, in the transaction of the change, that a campaign has ended at a moment."""
    events.tell(
        CAMPAIGN_ENDED,
        visibility.campaign_realm(campaign.environment),
        lambda: Facts(campaign.partner, _of_campaign(campaign, at)),
        f"{CAMPAIGN_ENDED}:{campaign.id}:{at}",
    )


@retried
def _tell_all(ended: Sequence[Campaign | CampaignBatch]) -> None:
    with change():
        for each in ended:
            if isinstance(each, Campaign):
                tell_ended(each, each.ends_at or 0)
            else:
                _tell_expired(each)


def _tell_expired(batch: Any) -> None:
    codes = batch.total - batch.redeemed - batch.revoked
    if codes <= 0:
        return
    once = f"{EXPIRED}:{batch.batch_id}:{batch.expires_at // DAY_SECONDS}"
    more = {"codes": codes, "expired_at": batch.expires_at}
    event_facts.tell_of_batch(EXPIRED, batch.batch_id, batch.batch.realm, more, once)


def _of_campaign(campaign: Campaign, at: int) -> dict[str, Any]:
    return {
        "campaign_uuid": campaign.uuid,
        "campaign_slug": campaign.slug,
        "campaign_name": campaign.name,
        "codes": campaign.codes,
        "redeemed": campaign.redeemed,
        "ended_at": at,
    }
