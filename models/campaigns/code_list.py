"""List the codes of a campaign by cursor, so that pages stay in place while codes are added."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from models.campaigns.campaign_codes import ACTIVE, EXPIRED, REDEEMED, REVOKED, status
from models.promotions import code_spelling
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch
from models.promotions.coupons import Coupon
from models.redemptions.redemptions import USED, Redemption
from models.store.errors import Invalid

CURSOR = re.compile(r"([0-9]{1,9})\.([0-9]{1,18})")
LOOKED_AT = 10_000
"""Codes that one page looks at: one that finds few of a rare status ends early, with a cursor."""
SLICE = 1_000
NEWEST = 2_147_483_647
"""A number no batch is over."""
BATCHES = 200


@dataclass(frozen=True)
class Line:
    """Hold one code of the list, masked, with the redemption that stands."""

    coupon: Coupon
    batch: CampaignBatch
    masked: str
    status: str
    redemption: Redemption | None


def page(
    campaign: Campaign,
    cursor: str | None,
    limit: int,
    wanted: str | None = None,
    batch: CampaignBatch | None = None,
) -> tuple[list[Line], str | None]:
    """Return up to `limit` codes behind the cursor, and the cursor of the next page or None.

    The newest batch comes first, and within one the code that was made first. `wanted` is a
    status. A page may hold fewer codes than the limit, or none, though more follow. Raises
    Invalid for a text that is no cursor.
    """
    number, last = _place(cursor)
    if batch is not None and cursor is None:
        number = batch.number
    found: list[tuple[Coupon, CampaignBatch]] = []
    looked_at = 0
    for here in _batches(campaign, number, wanted, batch):
        after = last if here.number == number else 0
        while True:
            coupons = _coupons(here, after)
            for coupon in coupons:
                looked_at += 1
                after = coupon.id
                if wanted is None or status(coupon, here) == wanted:
                    found.append((coupon, here))
                if len(found) == limit or looked_at == LOOKED_AT:
                    return list(_lines(found)), f"{here.number}.{after}"
            if len(coupons) < SLICE:
                break
    return list(_lines(found)), None


def lines_of(batch: CampaignBatch) -> Iterator[Line]:
    """Yield all codes of a batch in the order they were made, in flat memory."""
    after = 0
    while coupons := _coupons(batch, after):
        after = coupons[-1].id
        yield from _lines([(coupon, batch) for coupon in coupons])


def _place(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return NEWEST, 0
    match = CURSOR.fullmatch(cursor)
    if match is None:
        raise Invalid("is no cursor of this list", "cursor_invalid")
    return int(match[1]), int(match[2])


def _batches(
    campaign: Campaign, number: int, wanted: str | None, only: CampaignBatch | None
) -> Iterator[CampaignBatch]:
    """Yield the batches that can hold such a code, newest first, from one number down."""
    if only is not None:
        if number == only.number:
            yield only
        return
    unused = CampaignBatch.total > CampaignBatch.redeemed + CampaignBatch.revoked
    holds = {
        None: CampaignBatch.total > 0,
        ACTIVE: unused,
        EXPIRED: unused & CampaignBatch.expires_at.is_null(False),
        REDEEMED: CampaignBatch.redeemed > 0,
        REVOKED: CampaignBatch.revoked > 0,
    }[wanted]
    while True:
        some = list(
            CampaignBatch.select()
            .where(CampaignBatch.campaign_id == campaign.id, CampaignBatch.number <= number, holds)
            .order_by(CampaignBatch.number.desc())
            .limit(BATCHES)
        )
        for batch in some:
            if wanted not in (ACTIVE, EXPIRED) or batch.expired == (wanted == EXPIRED):
                yield batch
        if len(some) < BATCHES:
            return
        number = some[-1].number - 1


def _coupons(batch: CampaignBatch, after: int) -> list[Coupon]:
    return list(
        Coupon.select()
        .where(Coupon.batch_id == batch.batch_id, Coupon.id > after)
        .order_by(Coupon.id)
        .limit(SLICE)
    )


def _lines(found: Sequence[tuple[Coupon, CampaignBatch]]) -> Iterator[Line]:
    used = [coupon.id for coupon, _ in found if coupon.num_usage]
    standing: dict[int, Redemption] = {}
    for at in range(0, len(used), SLICE):
        query = Redemption.select().where(
            Redemption.coupon_id.in_(used[at : at + SLICE]), Redemption.state == USED
        )
        standing |= {redemption.coupon_id: redemption for redemption in query}
    ids = {batch.batch_id for _, batch in found}
    rows: Any = Batch.select(Batch.id, Batch.prefix).where(Batch.id.in_(ids)).tuples()
    prefixes: dict[int, str] = dict(rows)
    for coupon, batch in found:
        yield Line(
            coupon,
            batch,
            code_spelling.masked(coupon.code, prefixes.get(batch.batch_id, "")),
            status(coupon, batch),
            standing.get(coupon.id),
        )
