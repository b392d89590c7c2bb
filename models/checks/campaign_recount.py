"""Recount what is kept counted of campaigns from the rows themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from peewee import JOIN, Case, fn

from models.promotions.campaign_counts import REVOKED, Campaign, CampaignBatch
from models.promotions.coupons import Coupon
from models.redemptions.players import Player
from models.redemptions.redemptions import USED, Redemption

Difference = tuple[str, Any, Any]
"""What is kept wrongly, the kept value, and the counted one."""


def differences() -> Iterator[Difference]:
    """Yield every difference; the caller holds one state of the store."""
    yield from _batches()
    yield from _campaigns()
    yield from _players()


def _batches() -> Iterator[Difference]:
    used = Coupon.num_usage > 0
    kept = CampaignBatch.total, CampaignBatch.redeemed, CampaignBatch.revoked
    rows: Any = (
        CampaignBatch.select(
            CampaignBatch.batch_id,
            *kept,
            fn.COUNT(Coupon.id),
            _number(used),
            _number(~used & REVOKED & Coupon.id.is_null(False)),
        )
        .join(Coupon, JOIN.LEFT_OUTER, on=(Coupon.batch_id == CampaignBatch.batch_id))
        .group_by(CampaignBatch.batch_id)
        .order_by(CampaignBatch.batch_id)
    )
    for batch_id, *numbers in rows.tuples().iterator():
        yield from _unequal(f"campaign batch {batch_id}", kept, numbers)


def _campaigns() -> Iterator[Difference]:
    kept = Campaign.batches, Campaign.codes, Campaign.redeemed, Campaign.revoked
    sums = CampaignBatch.total, CampaignBatch.redeemed, CampaignBatch.revoked
    rows: Any = (
        Campaign.select(
            Campaign.id,
            *kept,
            fn.COUNT(CampaignBatch.batch_id),
            *(fn.COALESCE(fn.SUM(column), 0) for column in sums),
        )
        .join(CampaignBatch, JOIN.LEFT_OUTER, on=(CampaignBatch.campaign_id == Campaign.id))
        .group_by(Campaign.id)
        .order_by(Campaign.id)
    )
    for campaign_id, *numbers in rows.tuples().iterator():
        yield from _unequal(f"campaign {campaign_id}", kept, numbers)


def _players() -> Iterator[Difference]:
    earned = (
        (Redemption.campaign_id == Player.campaign_id)
        & (Redemption.user_id == Player.user_id)
        & (Redemption.state == USED)
    )
    rows: Any = (
        Player.select(Player.id, Player.points, fn.COALESCE(fn.SUM(Redemption.points), 0))
        .join(Redemption, JOIN.LEFT_OUTER, on=earned)
        .group_by(Player.id)
        .order_by(Player.id)
    )
    for player_id, *numbers in rows.tuples().iterator():
        yield from _unequal(f"player {player_id}", (Player.points,), numbers)


def _number(which: Any) -> Any:
    return fn.COALESCE(fn.SUM(Case(None, [(which, 1)], 0)), 0)


def _unequal(what: str, columns: Any, numbers: list[int]) -> Iterator[Difference]:
    for at, column in enumerate(columns):
        kept, counted = numbers[at], numbers[at + len(columns)]
        if kept != counted:
            yield f"{what} {column.name}", kept, counted
