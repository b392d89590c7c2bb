"""Redemptions: every reason to refuse, every count, and the way back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.config import Settings
from models.promotions import batch_life, batches, coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions, releases, use_rules
from models.redemptions.redemption import RELEASED, USED, Redemption, any_standing, by_id
from models.redemptions.use_rules import REFUSALS, Refused, Use
from models.store import clock, visibility
from models.store.base import database
from models.store.errors import NotFound
from tests.recount import assert_counts_are_right
from tests.terms import but

TODAY = date(2026, 5, 5)
CART = Use(today=TODAY, places=2, amount=Decimal("50"))
ON_INVOICE = replace(CART, invoice_id=7)

pytestmark = pytest.mark.usefixtures("store")


def a_coupon(code: str = "CODE", **terms: Any) -> Coupon:
    return coupons.add(code, Terms.of(value=Decimal(10), **terms))


def rows() -> list[Any]:
    """Return all coupons and redemptions."""
    return [list(each.select().order_by(each.id).dicts()) for each in (Coupon, Redemption)]


def refusal(coupon: Coupon, use: Use) -> str:
    """Return why a use is refused, having looked that a quote says the same and nothing changed."""
    before = rows()
    with pytest.raises(Refused) as refused:
        redemptions.redeem(coupon, use)
    with pytest.raises(Refused) as quoted:
        redemptions.quote(coupon, use)
    assert refused.value.key == quoted.value.key
    assert refused.value.sentence == REFUSALS[refused.value.key]
    assert before == rows()
    return refused.value.key


def not_redeemed(coupon: Coupon, use: Use) -> str:
    """Return why a use is refused that is quoted all the same."""
    with pytest.raises(Refused) as refused:
        redemptions.redeem(coupon, use)
    return refused.value.key


def redeem(coupon: Coupon, use: Use) -> Redemption:
    """Use a coupon, having looked that its quote is what is taken off."""
    off = redemptions.quote(coupons.by_id(coupon.id), use).off
    redemption, new = redemptions.redeem(coupons.by_id(coupon.id), use)
    assert new
    assert (redemption.discount, redemption.setup_discount) == (
        (off.price, off.setup) if off else (None, None)
    )
    assert_counts_are_right()
    return redemption


def test_a_use_is_written_down_with_all_that_was_said(still_time: int) -> None:
    coupon = a_coupon(coupon_type="invoice_cart", applyto="both")
    use = replace(
        CART,
        client_id=3,
        invoice_id=7,
        order_id=9,
        amount=Decimal("33.35"),
        setup_amount=Decimal("0.05"),
        api_id="abcd",
    )
    made = by_id(redeem(coupon, use).id)
    assert made.__data__ == {
        "id": made.id,
        "coupon_id": coupon.id,
        "batch_id": 0,
        "code": "CODE",
        "client_id": 3,
        "invoice_id": 7,
        "invoice_slot": 7,
        "order_id": 9,
        "account_id": 0,
        "amount": Decimal("33.35"),
        "setup_amount": Decimal("0.05"),
        "discount": Decimal("3.34"),
        "setup_discount": Decimal("0.01"),
        "state": USED,
        "api_id": "abcd",
        "realm": visibility.LEGACY,
        "uuid": None,
        "campaign_id": 0,
        "user_id": "",
        "points": 0,
        "day": use.today,
        "redeemed_at": still_time,
        "released_at": None,
    }
    assert coupons.by_id(coupon.id).num_usage == 1


def test_amounts_that_were_not_said_stay_unsaid() -> None:
    made = redeem(a_coupon(), replace(CART, amount=None))
    assert (made.amount, made.setup_amount, made.discount, made.setup_discount) == (None,) * 4


def test_a_code_is_valid_through_its_last_day() -> None:
    coupon = a_coupon(expires=TODAY)
    redeem(coupon, CART)
    assert refusal(coupon, replace(CART, today=TODAY + timedelta(days=1))) == "code_expired"


def test_an_expired_code_is_said_to_be_so_also_when_it_is_inactive() -> None:
    coupon = coupons.add("OLD", Terms.of(expires=TODAY - timedelta(days=1)), active=False)
    assert refusal(coupon, CART) == "code_expired"


def test_archived_and_inactive_codes_are_refused() -> None:
    coupon = coupon_life.edit(a_coupon().id, TODAY, active=False)
    assert refusal(coupon, CART) == "code_inactive"
    coupon = coupon_life.edit(coupon.id, TODAY, live=False)
    assert refusal(coupon, CART) == "code_archived"


def test_a_code_that_is_used_up_is_inactive_and_refused() -> None:
    coupon = a_coupon(max_usage=2)
    redeem(coupon, CART)
    assert coupons.by_id(coupon.id).active
    redeem(coupon, CART)
    coupon = coupons.by_id(coupon.id)
    assert (coupon.active, coupon.num_usage) == (False, 2)
    assert refusal(coupon, CART) == "code_used_up"


def test_a_limit_is_held_against_a_coupon_that_was_read_before_it_was_reached() -> None:
    coupon = a_coupon(max_usage=1)
    redeem(coupon, CART)
    with pytest.raises(Refused) as refused:
        redemptions.redeem(coupon, CART)
    assert refused.value.key == "code_used_up"
    assert_counts_are_right()


def test_a_limit_is_held_also_where_an_active_code_is_used_up() -> None:
    coupon = a_coupon(max_usage=1)
    Coupon.update(num_usage=1, imported_usage=1).execute()  # as an import may bring it
    with pytest.raises(Refused) as refused:
        redemptions.redeem(coupon, CART)
    assert refused.value.key == "code_used_up"
    assert_counts_are_right()


def test_terms_that_changed_since_a_coupon_was_read_are_the_ones_that_count() -> None:
    coupon = a_coupon()
    coupon_life.edit(coupon.id, TODAY, terms=lambda old: but(old, value=Decimal(20)))
    made, _ = redemptions.redeem(coupon, CART)
    assert made.discount == Decimal(10)


def test_a_coupon_that_was_deleted_since_it_was_read_is_not_found() -> None:
    coupon = a_coupon()
    coupon_life.delete(coupon.id)
    with pytest.raises(NotFound):
        redemptions.redeem(coupon, CART)


@pytest.mark.parametrize(
    ("coupon_type", "in_cart", "on_invoice"),
    [
        ("cart", True, False),
        ("invoice", False, True),
        ("invoice_cart", True, True),
        ("flavor", True, False),
        ("from elsewhere", False, False),
    ],
)
def test_a_code_is_used_where_its_type_says(
    coupon_type: str, in_cart: bool, on_invoice: bool
) -> None:
    coupon = a_coupon(coupon_type=coupon_type)
    for use, allowed, key in (
        (CART, in_cart, "not_for_carts"),
        (ON_INVOICE, on_invoice, "not_for_invoices"),
    ):
        if allowed:
            redeem(coupon, use)
        else:
            assert refusal(coupon, use) == key


def test_a_code_of_one_client_is_for_no_other() -> None:
    coupon = a_coupon(client_id=3)
    assert refusal(coupon, CART) == "client_missing"
    assert refusal(coupon, replace(CART, client_id=4)) == "client_other"
    redeem(coupon, replace(CART, client_id=3))


@pytest.mark.parametrize(
    ("clients", "use", "key"),
    [
        ("new", CART, None),
        ("new", replace(CART, client_id=1), "new_clients_only"),
        ("new", replace(CART, client_id=1, clients="new"), None),
        ("new", ON_INVOICE, "new_clients_only"),
        ("existing", CART, "existing_clients_only"),
        ("existing", replace(CART, clients="existing"), None),
        ("existing", replace(CART, client_id=1), None),
        ("existing", replace(CART, client_id=1, clients="new"), "existing_clients_only"),
        ("existing", ON_INVOICE, None),
        ("all", replace(CART, clients="new"), None),
    ],
)
def test_a_code_for_some_clients_is_refused_to_others(
    clients: str, use: Use, key: str | None
) -> None:
    coupon = a_coupon(clients=clients, coupon_type="invoice_cart")
    if key is None:
        redeem(coupon, use)
    else:
        assert refusal(coupon, use) == key


@pytest.mark.parametrize(
    ("amount", "setup", "allowed"),
    [("49.99", None, False), ("50", None, True), ("49.99", "0.01", True), (None, None, False)],
)
def test_a_cart_must_be_worth_what_the_code_asks_for(
    amount: str | None, setup: str | None, allowed: bool
) -> None:
    coupon = a_coupon(min_cart_amount=Decimal("50.00"), coupon_type="invoice_cart")
    use = replace(CART, amount=amount and Decimal(amount), setup_amount=setup and Decimal(setup))
    for place in (use, replace(use, invoice_id=7)):
        if allowed:
            redeem(coupon, place)
        elif amount:
            assert refusal(coupon, place) == "cart_too_small"
        else:
            assert not_redeemed(coupon, place) == "cart_too_small"
            assert redemptions.quote(coupon, place).off is None  # tells what can be told


def test_each_client_has_so_many_uses() -> None:
    coupon = a_coupon(max_client_usage=2)
    one, other = replace(CART, client_id=1), replace(CART, client_id=2)
    assert not_redeemed(coupon, CART) == "client_missing"
    assert redemptions.quote(coupon, CART).unsaid  # a guest is quoted as a new client
    first = redeem(coupon, one)
    redeem(coupon, one)
    assert refusal(coupons.by_id(coupon.id), one) == "client_used_up"
    redeem(coupon, other)
    releases.release(first.id, TODAY)
    redeem(coupon, one)
    assert refusal(coupons.by_id(coupon.id), one) == "client_used_up"


def test_the_same_coupon_on_the_same_invoice_is_counted_once() -> None:
    coupon = a_coupon(coupon_type="invoice", max_usage=1)
    first = redeem(coupon, ON_INVOICE)
    again, new = redemptions.redeem(coupons.by_id(coupon.id), ON_INVOICE)
    assert (again.id, new) == (first.id, False)
    assert refusal(coupons.by_id(coupon.id), replace(ON_INVOICE, invoice_id=8)) == "code_used_up"
    releases.release(first.id, TODAY)
    second = redeem(coupon, ON_INVOICE)
    assert second.id != first.id


def test_the_use_that_stands_is_found_where_it_was_the_last_of_its_client() -> None:
    coupon = a_coupon(coupon_type="invoice", max_client_usage=1)
    use = replace(ON_INVOICE, client_id=3)
    first = redeem(coupon, use)
    again, new = redemptions.redeem(coupons.by_id(coupon.id), use)
    assert (again.id, again.discount, new) == (first.id, first.discount, False)
    assert_counts_are_right()


def test_a_use_counts_in_the_batch_and_raises_its_revision() -> None:
    batch = batch_life.make("Batch", Terms.of(max_usage=1), 3)
    coupon = Coupon.select().order_by(Coupon.id).first()
    made = redeem(coupon, CART)
    after = batches.by_id(batch.id)
    assert (after.coupons_used, after.revision) == (1, batch.revision + 1)
    releases.release(made.id, TODAY)
    assert_counts_are_right()
    after = batches.by_id(batch.id)
    assert (after.coupons_used, after.revision) == (0, batch.revision + 2)


def test_a_release_gives_the_use_back_once(still_time: int) -> None:
    coupon = a_coupon(max_usage=1)
    made = redeem(coupon, CART)
    released, now = releases.release(made.id, TODAY)
    assert (released.state, released.released_at, now) == (RELEASED, still_time, True)
    assert_counts_are_right()
    assert coupons.by_id(coupon.id).active
    for _ in range(2):
        again, now = releases.release(made.id, TODAY)
        assert (again.state, now) == (RELEASED, False)
        assert_counts_are_right()
    redeem(coupon, CART)


def test_releasing_what_never_was_is_not_found() -> None:
    with pytest.raises(NotFound):
        releases.release(1, TODAY)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda coupon: coupon_life.edit(coupon.id, TODAY, active=False), id="stopped"),
        pytest.param(
            lambda coupon: coupon_life.edit(
                coupon.id, TODAY, terms=lambda old: but(old, expires=TODAY - timedelta(days=1))
            ),
            id="expired",
        ),
        pytest.param(
            lambda coupon: coupon_life.edit(
                coupon.id, TODAY, terms=lambda old: but(old, max_usage=1)
            ),
            id="still used up",
        ),
    ],
)
def test_a_release_brings_no_code_back_that_may_not_be_used(
    spoil: Callable[[Coupon], Coupon],
) -> None:
    coupon = a_coupon(max_usage=2)
    made = [redeem(coupon, CART) for _ in range(2)]
    spoil(coupon)
    releases.release(made[0].id, TODAY)
    assert not coupons.by_id(coupon.id).active
    assert_counts_are_right()


def test_the_uses_of_a_deleted_coupon_stay_and_are_released_without_a_trace_elsewhere() -> None:
    batch = batch_life.make("Batch", Terms.of(), 2)
    first, second = Coupon.select().order_by(Coupon.id)
    made = redeem(first, CART)
    redeem(second, CART)
    coupon_life.delete(first.id)
    assert_counts_are_right()
    assert any_standing(batch.id)
    _, now = releases.release(made.id, TODAY)
    assert now
    assert_counts_are_right()
    assert batches.by_id(batch.id).coupons_used == 1


def test_a_new_coupon_never_takes_over_the_uses_of_a_deleted_one() -> None:
    coupon = a_coupon(coupon_type="invoice", max_client_usage=1)
    use = replace(ON_INVOICE, client_id=1)
    redeem(coupon, use)
    coupon_life.delete(coupon.id)
    again = a_coupon(coupon_type="invoice", max_client_usage=1)
    assert again.id != coupon.id
    redeem(again, use)


def test_imported_uses_count_against_the_limit() -> None:
    coupon = a_coupon(max_usage=3)
    Coupon.update(num_usage=2, imported_usage=2).execute()
    redeem(coupon, CART)
    assert refusal(coupons.by_id(coupon.id), CART) == "code_used_up"


def test_parallel_uses_keep_every_limit(store: Settings) -> None:
    total = a_coupon("TOTAL", max_usage=5)
    each = a_coupon("EACH", max_client_usage=1)
    invoice = a_coupon("INVOICE", coupon_type="invoice")
    wins: list[str] = []
    barrier = threading.Barrier(12)

    def storm(client: int) -> None:
        barrier.wait()
        with database.connection_context():
            for coupon, use in (
                (total, replace(CART, client_id=client)),
                (each, replace(CART, client_id=client % 3 + 1)),
                (invoice, ON_INVOICE),
            ):
                try:
                    if redemptions.redeem(coupon, use)[1]:
                        wins.append(coupon.code)
                except Refused as problem:
                    wins.append(problem.key)

    threads = [threading.Thread(target=storm, args=(client,)) for client in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == sorted(
        ["TOTAL"] * 5 + ["code_used_up"] * 7 + ["EACH"] * 3 + ["client_used_up"] * 9 + ["INVOICE"]
    )
    assert_counts_are_right()


def test_the_keys_of_refusals_stay() -> None:
    """Integrations tell refusals apart by their keys."""
    assert set(REFUSALS) == {
        "code_archived",
        "terms_unknown",
        "code_expired",
        "code_used_up",
        "code_inactive",
        "not_for_carts",
        "not_for_invoices",
        "client_missing",
        "client_other",
        "new_clients_only",
        "existing_clients_only",
        "once_per_service",
        "no_longer_discounted",
        "items_missing",
        "not_for_these_items",
        "cart_too_small",
        "client_used_up",
        "busy",
    }
    assert {f"not_for_{place}s" for place in (use_rules.CART, use_rules.INVOICE)} <= set(REFUSALS)


def test_time_comes_from_the_clock_alone(still_time: int) -> None:
    assert redeem(a_coupon(), CART).redeemed_at == still_time == clock.now()
