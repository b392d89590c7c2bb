"""One sale is one use: the same coupon on the same order, also when it becomes an invoice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from models.checks.recount import differences
from models.promotions import coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions, releases
from models.redemptions.redemption import USED, Redemption, by_id, stands
from models.redemptions.use_rules import Refused, Use
from models.store.base import database
from tests.recount import assert_counts_are_right
from tests.terms import but

TODAY = date(2026, 5, 5)
SALE = Use(today=TODAY, places=2)
ORDER, INVOICE = replace(SALE, order_id=9), replace(SALE, invoice_id=7)
BOTH = replace(ORDER, invoice_id=7)
CLIENTS = 12

pytestmark = pytest.mark.usefixtures("store")


def a_coupon(**terms: Any) -> Coupon:
    return coupons.add(
        "CODE", Terms.of(**({"value": Decimal(10), "coupon_type": "invoice_cart"} | terms))
    )


def redeem(coupon: Coupon, use: Use) -> tuple[Redemption, bool]:
    return redemptions.redeem(coupons.by_id(coupon.id), use)


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """Return what so many threads got, each with a connection, that begin together."""
    gate = threading.Barrier(CLIENTS)

    def one(number: int) -> Any:
        with database.connection_context():
            gate.wait(30)
            return work(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, range(CLIENTS)))


@pytest.mark.parametrize("limit", [0, 1])
@pytest.mark.parametrize(
    ("first", "later"),
    [
        (ORDER, [ORDER, ORDER]),
        (ORDER, [BOTH, INVOICE, ORDER]),
        (INVOICE, [BOTH, ORDER, INVOICE]),
        (BOTH, [ORDER, INVOICE, BOTH]),
    ],
)
def test_a_sale_is_one_use_by_whichever_number(limit: int, first: Use, later: list[Use]) -> None:
    coupon = a_coupon(max_usage=limit)
    made, new = redeem(coupon, first)
    assert new
    for use in later:
        assert redemptions.quote(coupons.by_id(coupon.id), use).off is None  # and no refusal
        found, new = redeem(coupon, use)
        assert (found.id, new) == (made.id, False)
    assert coupons.by_id(coupon.id).num_usage == 1
    kept = by_id(made.id)
    assert (kept.invoice_id, kept.order_id) == (
        max(use.invoice_id for use in [first, *later]),
        max(use.order_id for use in [first, *later]),
    )
    assert_counts_are_right()
    assert list(differences()) == []


def test_another_coupon_or_order_is_another_sale() -> None:
    coupon, other = a_coupon(), coupons.add("OTHER", Terms.of(value=1))
    redeem(coupon, ORDER)
    assert redeem(other, ORDER)[1]
    assert redeem(coupon, replace(ORDER, order_id=10))[1]
    assert redeem(coupon, SALE)[1]
    assert redeem(coupon, SALE)[1]
    assert coupons.by_id(coupon.id).num_usage == 4


def test_two_uses_that_turn_out_to_be_one_sale_stay_two() -> None:
    coupon = a_coupon()
    on_order, on_invoice = redeem(coupon, ORDER)[0], redeem(coupon, INVOICE)[0]
    found, new = redeem(coupon, BOTH)
    assert (found.id, found.order_id, new) == (on_invoice.id, 9, False)
    assert redeem(coupon, ORDER)[0].id == on_order.id
    assert by_id(on_order.id).invoice_id == 0
    assert coupons.by_id(coupon.id).num_usage == 2
    assert list(differences()) == []


def test_a_sale_that_is_released_can_be_made_again() -> None:
    coupon = a_coupon(max_usage=1)
    first, _ = redeem(coupon, BOTH)
    releases.release(first.id, TODAY)
    second, new = redeem(coupon, BOTH)
    assert (second.id != first.id, new) == (True, True)
    assert stands(second.id)
    assert not stands(first.id)
    assert list(differences()) == []


def test_what_was_not_said_is_filled_in_and_nothing_else_is_changed() -> None:
    coupon = a_coupon(applyto="both")
    made, _ = redeem(coupon, ORDER)
    assert (made.amount, made.discount) == (None, None)
    use = replace(BOTH, client_id=3, amount=Decimal(50), setup_amount=Decimal(20), api_id="b")
    found, _ = redeem(coupon, use)
    told = {
        "client_id": 3,
        "invoice_id": 7,
        "invoice_slot": 7,
        "amount": Decimal(50),
        "setup_amount": Decimal(20),
        "discount": Decimal(5),
        "setup_discount": Decimal(2),
    }
    before = {name: value for name, value in made.__data__.items() if name not in told}
    before["released_at"] = None
    assert found.__data__ == before | told == by_id(made.id).__data__
    coupon_life.edit(coupon.id, TODAY, terms=lambda old: but(old, value=Decimal(20)))
    another = replace(use, client_id=4, invoice_id=8, amount=Decimal(60), setup_amount=Decimal(0))
    assert redeem(coupon, another)[0].__data__ == found.__data__


def test_a_discount_that_was_answered_stays_when_a_fee_is_told_later() -> None:
    coupon = a_coupon(applyto="both")
    redeem(coupon, replace(ORDER, amount=Decimal(50)))
    coupon_life.edit(coupon.id, TODAY, terms=lambda old: but(old, value=Decimal(20)))
    found, _ = redeem(coupon, replace(ORDER, amount=Decimal(50), setup_amount=Decimal(10)))
    assert (found.discount, found.setup_discount) == (Decimal(5), Decimal(2))


def test_a_service_that_is_told_later_has_that_use() -> None:
    coupon = a_coupon(cycle="once")
    made, _ = redeem(coupon, ORDER)
    assert redeem(coupon, replace(ORDER, account_id=5))[0].account_id == 5
    with pytest.raises(Refused, match=r".") as refused:
        redeem(coupon, replace(ORDER, order_id=10, account_id=5))
    assert refused.value.key == "once_per_service"
    assert_counts_are_right()
    assert list(differences()) == []
    releases.release(made.id, TODAY)
    assert redeem(coupon, replace(ORDER, order_id=10, account_id=5))[1]
    assert list(differences()) == []


def test_services_of_one_order_are_sales_of_their_own() -> None:
    coupon = a_coupon(cycle="recurring")
    first, second = (replace(ORDER, account_id=number) for number in (5, 6))
    made = [redeem(coupon, use)[0].id for use in (first, second)]
    assert [redeem(coupon, use)[0].id for use in (first, second, ORDER)] == [*made, made[0]]
    renewal, new = redeem(coupon, replace(first, invoice_id=8))
    assert (renewal.id, new) == (made[0], False)  # the order became this invoice
    renewal, new = redeem(coupon, replace(first, invoice_id=9))
    assert new
    assert coupons.by_id(coupon.id).num_usage == 2
    assert_counts_are_right()


def test_one_use_when_many_redeem_on_one_order() -> None:
    coupon = a_coupon()
    results = at_once(lambda number: redeem(coupon, ORDER))
    assert sorted(new for _, new in results) == [False] * (CLIENTS - 1) + [True]
    assert len({redemption.id for redemption, _ in results}) == 1
    assert_counts_are_right()


def test_one_use_when_many_say_that_an_order_became_an_invoice() -> None:
    coupon = a_coupon(max_usage=1)
    made, _ = redeem(coupon, ORDER)
    uses = [replace(BOTH, client_id=3, amount=Decimal(50)), BOTH, ORDER]
    results = at_once(lambda number: redeem(coupon, uses[number % 3]))
    assert {(redemption.id, new) for redemption, new in results} == {(made.id, False)}
    kept = by_id(made.id)
    assert (kept.invoice_id, kept.client_id, kept.discount) == (7, 3, Decimal(5))
    assert_counts_are_right()


@pytest.mark.parametrize("limit", [0, 1])
def test_a_sale_is_found_or_made_while_it_is_released(limit: int) -> None:
    coupon = a_coupon(max_usage=limit)
    made, _ = redeem(coupon, ORDER)
    uses = [ORDER, BOTH, replace(ORDER, amount=Decimal(5))]

    def one(number: int) -> Redemption:
        if number == 0:
            return releases.release(made.id, TODAY)[0]
        return redeem(coupon, uses[number % 3])[0]

    later = at_once(one)[1:]
    assert len({use.id for use in later} - {made.id}) <= 1
    again, _ = redeem(coupon, ORDER)
    assert again.id != made.id
    standing = Redemption.select().where(Redemption.state == USED)
    assert [use.id for use in standing] == [again.id]
    assert_counts_are_right()
    assert list(differences()) == []


@pytest.mark.parametrize(
    "terms", [{}, {"max_usage": 1}, {"max_client_usage": 1}, {"expires": TODAY}]
)
@pytest.mark.parametrize("first", [None, Decimal(50)])
@pytest.mark.parametrize("later", [None, Decimal(20)])
def test_a_quote_of_a_sale_that_has_its_use_is_what_a_redemption_finds(
    terms: dict[str, Any], first: Decimal | None, later: Decimal | None
) -> None:
    coupon = a_coupon(**terms)
    redeem(coupon, replace(BOTH, client_id=3, amount=first))
    again = replace(BOTH, today=date(2026, 6, 1), client_id=3, amount=later)
    before = list(Redemption.select().dicts())
    quoted = redemptions.quote(coupons.by_id(coupon.id), again)
    assert before == list(Redemption.select().dicts())
    found, new = redeem(coupon, again)
    assert not new
    assert (quoted.off and quoted.off.price, quoted.unsaid) == (found.discount, frozenset())
    known = first if first is not None else later
    assert found.discount == (known and known / 10)
    other = replace(again, order_id=10, invoice_id=11)
    if terms:
        with pytest.raises(Refused):
            redemptions.quote(coupons.by_id(coupon.id), other)
