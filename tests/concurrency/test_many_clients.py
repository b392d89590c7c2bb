"""Limits hold and writers wait when many clients meet at four real worker processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from models.promotions import batches, coupons
from models.promotions.coupons import Coupon
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import REFUSALS
from models.store import counters
from tests.concurrency.clients import (
    Client,
    assert_counts_are_right,
    at_once,
    batch_of,
    bound_store,
)
from tests.serving import Server, served

CLIENTS = 64


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a store with four processes for all tests here; each makes codes of its own."""
    folder = tmp_path_factory.mktemp("arena")
    with bound_store(folder), served(folder, command=("serve", "--workers", "4")) as server:
        yield server
        assert "Traceback" not in server.log()
        assert "The store cannot be reached" not in server.log()
        assert server.log().count("Booting worker") == 4  # none of them had to be replaced


def test_ten_of_64_clients_get_a_code_that_is_good_for_ten(arena: Server) -> None:
    batch, (code,) = batch_of(1, max_usage=10)

    def redeem(client: Client, number: int) -> str:
        answer = client.call("redeemPromoCode", code=code, client_id=number + 1)
        return "won" if answer["success"] else answer["error"][0]

    results = Counter(at_once(arena.address, CLIENTS, redeem))
    assert results == {"won": 10, REFUSALS["code_used_up"]: CLIENTS - 10}
    coupon = coupons.by_code(code)
    assert (coupon.num_usage, coupon.active) == (10, False)
    assert Redemption.select().where(Redemption.coupon_id == coupon.id).count() == 10
    assert batches.by_id(batch.id).coupons_used == 10
    assert_counts_are_right()


def test_a_thousand_codes_for_one_use_have_a_thousand_winners(arena: Server) -> None:
    batch, codes = batch_of(1000, max_usage=1)
    half = CLIENTS // 2

    def redeem(client: Client, number: int) -> list[tuple[str, bool]]:
        mine = codes[number % half :: half]  # two clients have the same ones at the same time
        return [(code, client.call("redeemPromoCode", code=code)["success"]) for code in mine]

    tries = [each for some in at_once(arena.address, CLIENTS, redeem) for each in some]
    assert len(tries) == 2000
    assert sorted(code for code, won in tries if won) == sorted(codes)
    inside = Coupon.batch_id == batch.id
    assert Coupon.select().where(inside, Coupon.num_usage == 1, ~Coupon.active).count() == 1000
    assert Redemption.select().where(Redemption.batch_id == batch.id).count() == 1000
    assert batches.by_id(batch.id).coupons_used == 1000
    assert_counts_are_right()


def test_one_of_32_tries_by_a_client_who_may_use_a_code_once(arena: Server) -> None:
    batch, (code,) = batch_of(1, max_client_usage=1)

    def redeem(client: Client, number: int) -> str:
        answer = client.call("redeemPromoCode", code=code, client_id=7, order_id=number + 1)
        return "won" if answer["success"] else answer["error"][0]

    results = Counter(at_once(arena.address, 32, redeem))
    assert results == {"won": 1, REFUSALS["client_used_up"]: 31}
    assert batches.by_id(batch.id).coupons_used == coupons.by_code(code).num_usage == 1
    assert_counts_are_right()


def test_one_use_when_64_clients_put_a_code_on_the_same_invoice(arena: Server) -> None:
    batch, (code,) = batch_of(1, coupon_type="invoice")

    def apply(client: Client, number: int) -> bool:
        return client.call("applyInvoiceCoupon", id=9001, applycoupon=code)["success"]

    assert all(at_once(arena.address, CLIENTS, apply))
    assert batches.by_id(batch.id).coupons_used == coupons.by_code(code).num_usage == 1
    assert_counts_are_right()


def test_one_use_when_64_clients_redeem_on_the_same_order(arena: Server) -> None:
    batch, (code,) = batch_of(1, coupon_type="invoice_cart")
    made = Counter[str]()

    def redeem(client: Client, number: int) -> str:
        sale = {"order_id": 9001} | ({"invoice_id": 9002} if number % 2 else {})
        return client.call("redeemPromoCode", code=code, **sale)["redemption"]["id"]

    made.update(at_once(arena.address, CLIENTS, redeem))
    assert list(made.values()) == [CLIENTS]
    assert batches.by_id(batch.id).coupons_used == coupons.by_code(code).num_usage == 1
    assert Redemption.get(Redemption.code == code).invoice_id == 9002
    assert_counts_are_right()


def test_64_writers_wait_for_each_other_and_all_succeed(arena: Server) -> None:
    batch, (shared,) = batch_of(1)
    before = counters.count(counters.COUPONS)

    def write(client: Client, number: int) -> list[bool]:
        code = f"WRITER-{number}"
        terms = {"coupon_type": "cart", "type": "percent", "value": number % 100}
        return [
            client.call(name, **arguments)["success"]
            for name, arguments in (
                ("addPromoCode", {"code": code, **terms}),
                ("redeemPromoCode", {"code": shared}),
                ("generatePromoCodes", {"id": batch.id, "size": 20}),
                ("editPromoCode", {"code": code, "value": "1.5"}),
                ("redeemPromoCode", {"code": code, "client_id": number + 1}),
            )
        ]

    results = at_once(arena.address, CLIENTS, write)
    assert results == [[True] * 5] * CLIENTS
    assert counters.count(counters.COUPONS) == before + CLIENTS * 21
    stored = batches.by_id(batch.id)
    assert (stored.coupons_count, stored.coupons_used) == (1 + CLIENTS * 20, CLIENTS)
    assert_counts_are_right()
