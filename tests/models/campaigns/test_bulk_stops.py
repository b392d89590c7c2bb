"""Many codes of both APIs are stopped at once, and brought back as one change."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from app.config import Settings
from models.campaigns import bulk_stops, campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.checks import recount
from models.promotions import batch_life, coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.errors import Conflict


def working() -> list[bool]:
    query: Any = Coupon.select(Coupon.stopped, Coupon.live).order_by(Coupon.id)
    return [bool(live and not stopped) for stopped, live in query.tuples()]


def test_both_apis_and_back(store: Settings) -> None:
    today = clock.today(UTC)
    batch = batch_life.make("Spring", Terms.of(value=10), 2)
    redemptions.redeem(Coupon.get(), Use(today=today, places=2))
    _, theirs = campaign_making.generate(campaigns.add(Owner(), "promo", "Promo"), 2, Plan(5))
    campaign_codes.redeem(Owner(), "promo", "user", theirs[0], today)
    coupons.add("Älone", Terms.of(max_usage=1))
    texts = [coupon.code.lower() for coupon in Coupon.select()]
    found = bulk_stops.find([*texts, "NONE", "x" * 1000, "\0"])
    assert (len(found.coupons), found.unknown, found.used) == (5, ["NONE", "x" * 1000, "\0"], 2)
    entry = bulk_stops.stop([coupon.id for coupon in found.coupons])
    assert entry is not None
    assert working() == [False, False, True, False, False]
    assert list(recount.differences()) == []
    assert bulk_stops.stop([coupon.id for coupon in found.coupons]) is None
    assert bulk_stops.undo(entry.id, today) == 4
    assert working() == [True] * 5
    assert list(recount.differences()) == []
    with pytest.raises(Conflict):
        bulk_stops.undo(entry.id, today)
    assert batch.id


def test_a_code_that_is_live_elsewhere_by_now_stays(store: Settings) -> None:
    first = campaigns.add(Owner(), "promo", "Promo")
    campaign_making.import_codes(first, ["OWN-CODE"], Plan(5), skip=False)
    entry = bulk_stops.stop([Coupon.get().id])
    assert entry is not None
    coupons.add("OWN-CODE", Terms.of())
    with pytest.raises(Conflict, match="live elsewhere"):
        bulk_stops.undo(entry.id, clock.today(UTC))
    assert working() == [False, True]


def test_the_largest_list_can_be_undone(store: Settings) -> None:
    batch_life.make("Large", Terms.of(), bulk_stops.MOST)
    entry = bulk_stops.stop([coupon.id for coupon in Coupon.select(Coupon.id)])
    assert entry is not None
    assert not any(working())
    assert bulk_stops.undo(entry.id, clock.today(UTC)) == bulk_stops.MOST
    assert all(working())
