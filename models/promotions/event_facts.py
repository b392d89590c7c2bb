"""What events tell of batches and codes, of both APIs."""

from __future__ import annotations

from typing import Any

from peewee import JOIN

from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch
from models.promotions.coupons import ALONE, Coupon
from models.webhooks import events
from models.webhooks.events import Facts
from models.webhooks.webhooks import REVOKED


def of_batch(batch_id: int, **more: Any) -> Facts:
    """Return what is told of a batch, or of single codes where it is ALONE."""
    nothing = dict.fromkeys(
        ("batch_uuid", "batch_name", "batch_prefix", "campaign_uuid", "campaign_slug")
    )
    found = None if batch_id == ALONE else _row(batch_id)
    if found is None:
        return Facts(None, {"batch_id": batch_id or None} | nothing | more)
    name, prefix, batch_uuid, campaign_uuid, slug, partner = found
    known = {
        "batch_id": batch_id,
        "batch_uuid": batch_uuid,
        "batch_name": name,
        "batch_prefix": prefix,
        "campaign_uuid": campaign_uuid,
        "campaign_slug": slug,
    }
    return Facts(partner, known | more)


def tell_of_batch(
    kind: str, batch_id: int, realm: int, more: dict[str, Any], once: str | None = None
) -> None:
    """Write an event about a batch in the transaction of the change, `once` as `events.tell`."""
    events.tell(kind, realm, lambda: of_batch(batch_id, **more), once)


def tell_revoked(coupon: Coupon, how: str) -> None:
    """Write that a code can no longer be used: it was revoked, stopped, archived or deleted."""
    more = {"coupon_id": coupon.id, "code": coupon.code, "codes": 1, "how": how}
    tell_of_batch(REVOKED, coupon.batch_id, coupon.realm, more)


def tell_revoked_codes(batch_id: int, realm: int, codes: int, how: str) -> None:
    """Write that many codes of a batch can no longer be used, in one event with their count."""
    more = {"coupon_id": None, "code": None, "codes": codes, "how": how}
    tell_of_batch(REVOKED, batch_id, realm, more)


def _row(batch_id: int) -> tuple[Any, ...] | None:
    query: Any = (
        Batch.select(
            Batch.name,
            Batch.prefix,
            CampaignBatch.uuid,
            Campaign.uuid,
            Campaign.slug,
            Campaign.partner,
        )
        .join(CampaignBatch, JOIN.LEFT_OUTER, on=(CampaignBatch.batch_id == Batch.id))
        .join(Campaign, JOIN.LEFT_OUTER, on=(Campaign.id == CampaignBatch.campaign_id))
        .where(Batch.id == batch_id)
    )
    return next(iter(query.tuples()), None)
