"""Services: a code is used once for each, and renewals of it are no further use."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.config import Settings
from models.checks import recount
from models.promotions import batch_life, batches, coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions, releases
from models.redemptions.redemption import Redemption
from models.redemptions.services import ServiceUse
from models.redemptions.use_rules import DAY_SECONDS, Refused, Use
from models.store.base import database
from tests.conftest import GOLDEN_TIME
from tests.recount import assert_counts_are_right
from tests.terms import but

TODAY = date(2026, 5, 5)
FIRST = Use(today=TODAY, places=2, amount=Decimal(50), client_id=3, account_id=77, order_id=1)
RENEWAL = replace(FIRST, invoice_id=8, order_id=0)

pytestmark = pytest.mark.usefixtures("store", "still_time")


def a_coupon(**terms: Any) -> Coupon:
    whole = {"value": Decimal(10), "cycle": "recurring", "coupon_type": "invoice_cart"} | terms
    return coupons.add("CODE", Terms.of(**whole))


def redeem(coupon: Coupon, use: Use) -> Redemption:
    made, new = redemptions.redeem(coupons.by_id(coupon.id), use)
    assert new
    assert_counts_are_right()
    assert not list(recount.differences())
    return made


def refusal(coupon: Coupon, use: Use) -> str:
    """Return why a use is refused, having looked that a quote says the same."""
    coupon = coupons.by_id(coupon.id)
    with pytest.raises(Refused) as refused:
        redemptions.redeem(coupon, use)
    with pytest.raises(Refused) as quoted:
        redemptions.quote(coupon, use)
    assert refused.value.key == quoted.value.key
    return refused.value.key


def used(coupon: Coupon) -> int:
    return coupons.by_id(coupon.id).num_usage


def test_a_code_for_once_is_used_once_for_each_service() -> None:
    coupon = a_coupon(cycle="once")
    first = redeem(coupon, FIRST)
    assert refusal(coupon, RENEWAL) == "once_per_service"
    redeem(coupon, replace(RENEWAL, account_id=78))
    releases.release(first.id, TODAY)
    redeem(coupon, replace(RENEWAL, invoice_id=9))
    assert used(coupon) == 2


def test_the_same_invoice_of_a_service_is_found_again() -> None:
    for coupon in (a_coupon(), coupons.add("ONCE", Terms.of(coupon_type="invoice"))):
        first = redeem(coupon, RENEWAL)
        again, new = redemptions.redeem(coupons.by_id(coupon.id), RENEWAL)
        assert (again.id, new) == (first.id, False)
        assert_counts_are_right()


@pytest.mark.parametrize(
    "terms",
    [
        {"max_usage": 1},
        {"max_client_usage": 1},
        {"clients": "new"},
        {"expires": TODAY},
        {"min_cart_amount": Decimal(50)},
        {"coupon_type": "cart"},
    ],
    ids=str,
)
def test_a_renewal_is_held_to_no_condition_of_the_first_use(terms: dict[str, Any]) -> None:
    coupon = a_coupon(**terms)
    redeem(coupon, replace(FIRST, clients="new"))
    later = replace(RENEWAL, today=TODAY + timedelta(1), amount=Decimal(20), clients="existing")
    off = redemptions.quote(coupons.by_id(coupon.id), later).off
    assert off is not None
    assert off.price == Decimal(2)
    assert redeem(coupon, later).discount == Decimal(2)
    assert used(coupon) == 1


def test_a_renewal_is_held_to_what_an_operator_did() -> None:
    coupon = a_coupon(max_usage=1)
    redeem(coupon, FIRST)
    coupon_life.edit(coupon.id, TODAY, active=False)
    assert refusal(coupon, RENEWAL) == "code_inactive"
    coupon_life.edit(coupon.id, TODAY, live=False)
    assert refusal(coupon, RENEWAL) == "code_archived"


def test_a_renewal_is_for_the_client_of_the_code_and_its_items() -> None:
    coupon = a_coupon(client_id=3)
    redeem(coupon, FIRST)
    assert refusal(coupon, replace(RENEWAL, client_id=4)) == "client_other"
    coupon_life.edit(coupon.id, TODAY, terms=lambda old: but(old, products={"5": "5"}))
    assert refusal(coupon, RENEWAL) == "items_missing"


def test_a_discount_ends_so_many_days_after_the_first_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coupon = a_coupon(increase_in_days=90)
    redeem(coupon, FIRST)
    for seconds, allowed in ((90 * DAY_SECONDS - 1, True), (90 * DAY_SECONDS, False)):
        monkeypatch.setattr("models.store.clock.now", lambda at=seconds: GOLDEN_TIME + at)
        if allowed:
            redeem(coupon, RENEWAL)
        else:
            assert refusal(coupon, replace(RENEWAL, invoice_id=9)) == "no_longer_discounted"
    redeem(coupon, replace(RENEWAL, account_id=78, invoice_id=9))


def test_services_are_counted_and_each_client_has_so_many() -> None:
    coupon = a_coupon(max_usage=3, max_client_usage=2)
    redeem(coupon, FIRST)
    redeem(coupon, RENEWAL)
    redeem(coupon, replace(RENEWAL, invoice_id=9))
    redeem(coupon, replace(FIRST, account_id=78))
    assert used(coupon) == 2
    other = replace(FIRST, account_id=79)
    assert refusal(coupon, other) == "client_used_up"
    redeem(coupon, replace(other, client_id=4))
    assert refusal(coupon, replace(other, account_id=80, client_id=4)) == "code_used_up"


@pytest.mark.parametrize("first_to_go", [0, 1])
def test_the_use_is_given_back_with_the_last_that_stands(first_to_go: int) -> None:
    batch = batch_life.make("Batch", Terms.of(cycle="recurring", max_usage=1), 1)
    coupon = Coupon.get()
    made = [redeem(coupon, replace(FIRST, order_id=number)) for number in (1, 2)]
    for turn, left in ((first_to_go, 1), (1 - first_to_go, 0)):
        releases.release(made[turn].id, TODAY)
        assert_counts_are_right()
        assert (used(coupon), batches.by_id(batch.id).coupons_used) == (left, left)
        assert coupons.by_id(coupon.id).active is not bool(left)
        _, now = releases.release(made[turn].id, TODAY)
        assert not now
        assert_counts_are_right()
    redeem(coupon, replace(FIRST, account_id=78))


def test_uses_of_a_deleted_code_are_released_too() -> None:
    coupon = a_coupon()
    made = [redeem(coupon, use) for use in (FIRST, RENEWAL)]
    coupon_life.delete(coupon.id)
    for each in made:
        assert releases.release(each.id, TODAY)[1]
        assert_counts_are_right()


def test_without_an_account_each_use_is_one() -> None:
    coupon = a_coupon()
    for number in (1, 2):
        redeem(coupon, replace(FIRST, account_id=0, order_id=number))
    assert used(coupon) == 2


@pytest.mark.parametrize("cycle", ["once", "recurring"])
def test_uses_of_one_service_at_once_are_one(store: Settings, cycle: str) -> None:
    coupon = a_coupon(cycle=cycle, max_usage=1)
    barrier = threading.Barrier(8)
    said: list[Any] = []

    def use(number: int) -> None:
        barrier.wait()
        with database.connection_context():
            try:
                one = replace(FIRST, invoice_id=number + 1)
                said.append(redemptions.redeem(coupons.by_id(coupon.id), one)[1])
            except Refused as problem:
                said.append(problem.key)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count(True) == (1 if cycle == "once" else 8), said
    assert used(coupon) == 1
    assert_counts_are_right()


def test_a_recount_names_a_service_that_is_counted_wrong() -> None:
    coupon = a_coupon()
    redeem(coupon, FIRST)
    ServiceUse.update(standing=3).execute()
    (service,) = ServiceUse.select()
    found = list(recount.differences())
    assert found == [recount.Difference(f"service {service.id} standing", 3, 1)]
    ServiceUse.delete().execute()
    found = list(recount.differences())
    assert found == [recount.Difference(f"service 77 of coupon {coupon.id} standing", 0, 1)]
