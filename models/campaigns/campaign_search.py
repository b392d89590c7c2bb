"""Find codes of an owner together with their batch and campaign in one query."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.promotions.coupons import Coupon
from models.store import visibility
from models.store.prepared import Prepared, numbered_slots, slot, slots

BATCH_AT = len(Coupon._meta.sorted_fields)
CAMPAIGN_AT = BATCH_AT + len(CampaignBatch._meta.sorted_fields)
"""Where the columns of the batch and of the campaign begin in a row."""


def owned(
    owner: Owner, codes: Sequence[str] = (), coupon_id: int = 0
) -> list[tuple[Coupon, CampaignBatch, Campaign]]:
    """Return the owner's codes that are one of these, or without any the one with the id.

    One question whatever there is: more of them would tell by time that others have the code.
    """
    question = _owned(owner.environment, len(codes))
    rows = question.rows(partner=owner.partner, id=coupon_id, **numbered_slots(codes))
    return [
        (
            Coupon.of_row(row[:BATCH_AT]),
            CampaignBatch.of_row(row[BATCH_AT:CAMPAIGN_AT]),
            Campaign.of_row(row[CAMPAIGN_AT:]),
        )
        for row in rows
    ]


@cache
def _owned(environment: int, codes: int) -> Prepared:
    return Prepared(
        lambda: (
            Coupon.select(Coupon, CampaignBatch, Campaign)
            .join(CampaignBatch, on=(CampaignBatch.batch_id == Coupon.batch_id))
            .join(Campaign, on=(Campaign.id == CampaignBatch.campaign_id))
            .where(
                Coupon.code.in_(slots(codes)) if codes else Coupon.id == slot("id"),
                # Not by the index of the realm (see coupons.SEEN).
                (Coupon.realm + 0).in_(visibility.of_environment(environment)),
                Campaign.partner == slot("partner"),
            )
        )
    )
