"""The sums of days are those of the uses that stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from playhouse.migrate import SchemaMigrator

from app.config import Settings
from models.checks import recount
from models.promotions import batch_life, batches, coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import daily_sums, redemptions, releases
from models.redemptions.daily_sums import DailySum, Sum
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.base import change, database

TODAY = date(2026, 5, 5)
USE = Use(today=TODAY, places=2, amount=Decimal("33.35"), setup_amount=Decimal("10"))


@pytest.fixture
def batch(store: Settings) -> batches.Batch:
    terms = Terms.of(value=10, applyto="both", coupon_type="invoice_cart", max_usage=3)
    return batch_life.make("Spring", terms, 3)


def code(batch: batches.Batch, number: int = 0) -> Coupon:
    return Coupon.select().where(Coupon.batch_id == batch.id).order_by(Coupon.id)[number]


def used(batch: batches.Batch) -> int:
    assert list(recount.differences()) == []
    return batches.by_id(batch.id).codes_used


def test_a_use_counts_on_its_day_until_it_is_released(batch: batches.Batch) -> None:
    later = replace(USE, today=TODAY + timedelta(days=1))
    first, _ = redemptions.redeem(code(batch), USE)
    redemptions.redeem(code(batch), later)
    redemptions.redeem(code(batch, 1), later)
    assert used(batch) == 2
    one = Sum(1, Decimal("4.34"))
    assert daily_sums.of_day(TODAY, later.today, batch.id) == {
        TODAY: one,
        later.today: Sum(2, Decimal("8.68")),
    }
    releases.release(first.id, later.today)
    assert used(batch) == 2
    assert daily_sums.of_day(TODAY, TODAY) == {TODAY: Sum(0, Decimal(0))}
    assert daily_sums.total(TODAY, later.today) == Sum(2, Decimal("8.68"))
    assert daily_sums.of_batches([batch.id, 99], TODAY, later.today) == {
        batch.id: {TODAY: 0, later.today: 2},
        99: {},
    }


def test_the_last_use_given_back_leaves_an_unused_code(batch: batches.Batch) -> None:
    made, _ = redemptions.redeem(code(batch), USE)
    assert used(batch) == 1
    releases.release(made.id, TODAY)
    assert used(batch) == 0


def test_a_deleted_code_is_no_used_code_but_its_uses_stay(batch: batches.Batch) -> None:
    redemptions.redeem(code(batch), USE)
    coupon_life.delete(code(batch).id)
    assert used(batch) == 0
    assert daily_sums.total(TODAY, TODAY, batch.id).uses == 1


def test_what_is_told_later_is_added(batch: batches.Batch) -> None:
    quiet = replace(USE, amount=None, setup_amount=None, invoice_id=5)
    redemptions.redeem(code(batch), quiet)
    assert daily_sums.total(TODAY, TODAY) == Sum(1, Decimal(0))
    redemptions.redeem(code(batch), replace(USE, invoice_id=5))
    assert used(batch) == 1
    assert daily_sums.total(TODAY, TODAY) == Sum(1, Decimal("4.34"))


def test_uses_that_another_installation_granted_count(batch: batches.Batch) -> None:
    redemptions.record(code(batch), replace(USE, invoice_id=5))
    assert used(batch) == 1
    assert daily_sums.total(TODAY, TODAY, batch.id).uses == 1


def test_stores_of_before_are_filled(batch: batches.Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    at = clock.midnight(TODAY, UTC)
    for seconds, number in ((0, 0), (86_399, 1), (86_400, 1)):
        monkeypatch.setattr(clock, "now", lambda moment=at + seconds: moment)
        use = replace(USE, today=TODAY + timedelta(days=seconds // 86_400))
        redemptions.redeem(code(batch, number), use)
    redemptions.redeem(coupons.add("ALONE", Terms.of(value=1, type="fixed")), use)
    released, _ = redemptions.redeem(code(batch, 2), use)
    releases.release(released.id, TODAY)
    before = daily_sums.of_day(TODAY, use.today)
    assert [each.uses for each in before.values()] == [2, 2]
    with change():
        batches.Batch.update(codes_used=0).execute()
        redemptions.Redemption.update(day=None).execute()
    migration = import_module("models.store.migrations.0018_daily_sums")
    migration.up(SchemaMigrator.from_database(database.obj), database.obj)
    assert daily_sums.of_day(TODAY, use.today) == before
    assert used(batch) == 2


def test_single_coupons_share_the_work(store: Settings) -> None:
    made = [coupons.add(f"CODE-{each}", Terms.of(value=1, type="fixed")) for each in range(20)]
    for coupon in made:
        redemptions.redeem(coupon, USE)
    assert DailySum.select().count() == daily_sums.SHARES
    assert daily_sums.total(TODAY, TODAY, coupons.ALONE) == Sum(20, Decimal(20))
    assert list(recount.differences()) == []
