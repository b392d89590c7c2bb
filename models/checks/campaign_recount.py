"""Recount the kept counts of campaigns from the rows themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from peewee import JOIN, Case, fn

from models.promotions.campaign_counts import REVOKED, Campaign, CampaignBatch
from models.promotions.coupons import Coupon
from models.redemptions.players import Player
from models.redemptions.redemptions import USED, Redemption

Counts = Sequence[tuple[Any, Any]]
"""Columns with a kept value, each with the expression that counts it."""


class Difference(NamedTuple):
    """Name a kept value that is not what its rows say."""

    what: str
    kept: Any
    counted: Any


def differences() -> Iterator[Difference]:
    """Yield every difference; the caller holds one state of the store."""
    used = Coupon.num_usage > 0
    counts: Counts = (
        (CampaignBatch.total, fn.COUNT(Coupon.id)),
        (CampaignBatch.redeemed, fn.COUNT(Case(None, [(used, 1)]))),
        (CampaignBatch.revoked, fn.COUNT(Case(None, [(~used & REVOKED, 1)]))),
    )
    of_batch = Coupon.batch_id == CampaignBatch.batch_id
    yield from compared("campaign batch", CampaignBatch.batch_id, counts, Coupon, of_batch)
    counts = (
        (Campaign.batches, fn.COUNT(CampaignBatch.batch_id)),
        (Campaign.codes, total(CampaignBatch.total)),
        (Campaign.redeemed, total(CampaignBatch.redeemed)),
        (Campaign.revoked, total(CampaignBatch.revoked)),
    )
    of_campaign = CampaignBatch.campaign_id == Campaign.id
    yield from compared("campaign", Campaign.id, counts, CampaignBatch, of_campaign)
    earned = (
        (Redemption.campaign_id == Player.campaign_id)
        & (Redemption.user_id == Player.user_id)
        & (Redemption.state == USED)
    )
    counts = ((Player.points, total(Redemption.points)),)
    yield from compared("player", Player.id, counts, Redemption, earned)


def compared(
    what: str, key: Any, counts: Counts, rows: type[Any], on: Any, where: Any = True
) -> Iterator[Difference]:
    """Yield where a value kept in the table of `key` is not what is counted of its `rows`."""
    kept, counted = zip(*counts, strict=True)
    query: Any = (
        key.model.select(key, *kept, *counted)
        .join(rows, JOIN.LEFT_OUTER, on=on)
        .where(where)
        .group_by(key)
        .order_by(key)
    )
    for row_id, *numbers in query.tuples().iterator():
        pairs = zip(kept, numbers[: len(kept)], numbers[len(kept) :], strict=True)
        for column, *values in pairs:
            if values[0] != values[1]:
                yield Difference(f"{what} {row_id} {column.name}", *values)


def total(column: Any) -> Any:
    """Return the sum of a column, 0 without a row."""
    return fn.COALESCE(fn.SUM(column), 0)
