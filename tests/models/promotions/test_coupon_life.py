"""Single coupons are edited, stopped, archived and deleted; what they count in follows."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.promotions import batch_life, batches, coupon_life, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import REPEAT, Terms
from models.redemptions import redemptions
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.errors import Conflict, NotFound
from tests.recount import assert_counts_are_right
from tests.terms import but

TODAY = date(2026, 5, 5)
YESTERDAY = TODAY - timedelta(days=1)
CART = Use(today=TODAY, places=2)

pytestmark = pytest.mark.usefixtures("store")


def in_batch(size: int = 3, **terms: Any) -> tuple[Batch, list[Coupon]]:
    batch = batch_life.make("Batch", Terms.of(**terms), size)
    return batch, list(Coupon.select().where(Coupon.batch_id == batch.id).order_by(Coupon.id))


def retermed(coupon: Coupon, **terms: Any) -> Coupon:
    edited = coupon_life.edit(coupon.id, TODAY, terms=lambda old: but(old, **terms))
    assert_counts_are_right()
    assert coupons.by_id(coupon.id).__data__ == edited.__data__
    return edited


def key_of(problem: pytest.ExceptionInfo[Any]) -> str:
    return str(problem.value.key)


def test_one_coupon_of_a_batch_gets_terms_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, (first, second, _) = in_batch(value=Decimal(10))
    monkeypatch.setattr(clock, "now", lambda: 2_000_000_000)
    retermed(first, value=Decimal(20), notes="special")
    assert coupons.by_id(first.id).terms.value == 20
    assert coupons.by_id(second.id).terms_id == batch.terms_id
    after = batches.by_id(batch.id)
    assert (after.terms_id, after.revision) == (batch.terms_id, batch.revision + 1)
    assert after.updated_at == 2_000_000_000


def test_what_is_not_told_stays() -> None:
    coupons.add("ALONE", Terms.of(value=Decimal(5)))
    before = coupons.by_code("ALONE").__data__
    coupon_life.edit(before["id"], TODAY)
    assert coupons.by_code("ALONE").__data__ == before


def test_a_coupon_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        coupon_life.edit(1, TODAY, live=False)
    with pytest.raises(NotFound):
        coupon_life.delete(1)


def test_new_terms_end_a_code_and_bring_it_back() -> None:
    coupon = coupons.add("CODE", Terms.of())
    for _ in range(2):
        redemptions.redeem(coupons.by_id(coupon.id), CART)
    assert retermed(coupon, max_usage=3).active
    assert not retermed(coupon, max_usage=2).active
    assert not retermed(coupon, value=Decimal(1)).active
    assert retermed(coupon, max_usage=0).active
    assert not retermed(coupon, expires=YESTERDAY).active
    assert retermed(coupon, expires=TODAY).active
    assert not retermed(coupon, expires=YESTERDAY, max_usage=1).active
    assert not retermed(coupon, expires=None).active
    assert retermed(coupon, max_usage=5).active


def test_a_stopped_code_comes_back_by_a_word_for_it_alone() -> None:
    coupon = coupons.add("CODE", Terms.of(expires=YESTERDAY), active=False)
    coupon_life.edit(coupon.id, TODAY, active=False)
    assert not retermed(coupon, expires=None).active
    assert coupon_life.edit(coupon.id, TODAY, active=True).active
    assert coupons.by_id(coupon.id).stopped is None


def test_a_code_that_has_ended_cannot_be_active() -> None:
    coupon = coupons.add("CODE", Terms.of(max_usage=1))
    redemptions.redeem(coupon, CART)
    before = coupons.by_id(coupon.id).__data__
    with pytest.raises(Conflict) as problem:
        coupon_life.edit(
            coupon.id, TODAY, terms=lambda old: but(old, value=Decimal(9)), active=True
        )
    assert key_of(problem) == "code_ended"
    assert coupons.by_id(coupon.id).__data__ == before
    edited = coupon_life.edit(
        coupon.id, TODAY, terms=lambda old: but(old, max_usage=2), active=True
    )
    assert edited.active


def test_an_archived_code_leaves_its_place_to_another() -> None:
    first = coupons.add("CODE", Terms.of())
    coupon_life.edit(first.id, TODAY, live=False)
    assert coupons.by_id(first.id).live is None
    second = coupons.add("CODE", Terms.of())
    assert coupons.by_code("CODE").id == second.id
    with pytest.raises(Conflict) as problem:
        coupon_life.edit(first.id, TODAY, terms=lambda old: but(old, value=Decimal(9)), live=True)
    assert key_of(problem) == "code_exists"
    assert coupons.by_id(first.id).terms_id == first.terms_id
    coupon_life.edit(second.id, TODAY, live=False)
    coupon_life.edit(first.id, TODAY, live=True)
    assert coupons.by_code("CODE").id == first.id
    redemptions.redeem(coupons.by_id(first.id), CART)
    assert_counts_are_right()


def test_a_code_that_ended_in_the_archive_is_live_but_not_active() -> None:
    coupon = coupons.add("CODE", Terms.of(expires=YESTERDAY), live=False)
    assert coupon.active
    edited = coupon_life.edit(coupon.id, TODAY, live=True)
    assert (edited.live, edited.active) == (True, False)
    assert retermed(coupon, expires=None).active


def test_a_stopped_code_that_is_archived_and_live_again_is_still_stopped() -> None:
    coupon = coupons.add("CODE", Terms.of())
    coupon_life.edit(coupon.id, TODAY, active=False)
    coupon_life.edit(coupon.id, TODAY, live=False)
    edited = coupon_life.edit(coupon.id, TODAY, live=True)
    assert (edited.live, edited.active, edited.stopped) == (True, False, True)
    coupon_life.edit(coupon.id, TODAY, live=False)
    both = coupon_life.edit(coupon.id, TODAY, live=True, active=True)
    assert (both.live, both.active, both.stopped, both.shelved) == (True, True, None, None)


def test_a_coupon_of_an_archived_batch_cannot_be_live_on_its_own() -> None:
    batch, (first, *_) = in_batch()
    batch_life.edit(batch.id, TODAY, live=False)
    with pytest.raises(Conflict) as problem:
        coupon_life.edit(first.id, TODAY, live=True)
    assert key_of(problem) == "batch_archived"


def test_an_imported_repeat_that_gets_a_status_shows_it() -> None:
    coupon = coupons.add("CODE", Terms.of(extra={REPEAT: [True]}), live=False)
    edited = coupon_life.edit(coupon.id, TODAY, live=False)
    assert edited.terms.extra == {}


def test_a_deleted_coupon_is_taken_off_every_count() -> None:
    batch, (first, second, _) = in_batch(max_usage=2)
    alone = coupons.add("ALONE", Terms.of())
    for coupon in (first, first, second, alone):
        redemptions.redeem(coupons.by_id(coupon.id), CART)
    before = batches.by_id(batch.id)
    for coupon in (first, alone):
        deleted = coupon_life.delete(coupon.id)
        assert deleted.code == coupon.code
        assert_counts_are_right()
    after = batches.by_id(batch.id)
    assert (after.coupons_count, after.coupons_used, after.made) == (2, 1, 2)
    assert after.complete
    assert after.revision == before.revision + 1
    assert Redemption.select().count() == 4


def test_deleting_from_a_batch_that_is_still_being_made_makes_up_for_nothing() -> None:
    batch, (first, *_) = in_batch()
    Batch.update(requested=10).execute()
    coupon_life.delete(first.id)
    after = batches.by_id(batch.id)
    assert (after.requested, after.made) == (9, 2)


def test_deleting_a_coupon_that_was_never_counted_as_made_leaves_that_count() -> None:
    batch, (first, *_) = in_batch(size=1)
    Batch.update(requested=0, made=0).execute()
    coupon_life.delete(first.id)
    after = batches.by_id(batch.id)
    assert (after.requested, after.made, after.coupons_count) == (0, 0, 0)
