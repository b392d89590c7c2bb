"""applyInvoiceCoupon, validatePromoCode, redeemPromoCode, releasePromoCode."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app import create_app
from app.config import Settings
from models.access import accesses
from models.promotions import coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.redemption import Redemption
from tests.calls.conftest import Ask
from tests.conftest import GOLDEN_TIME
from tests.credentials import CREDENTIALS, PAIR
from tests.recount import assert_counts_are_right

ADDED = {"info": ["The coupon has been added to the invoice"]}
TODAY = datetime.fromtimestamp(GOLDEN_TIME, UTC).date()
NOTHING_OFF = {"discount": "0.00", "setup_discount": "0.00", "total_discount": "0.00"}

pytestmark = pytest.mark.usefixtures("still_time", "store")


def a_coupon(code: str = "CODE", **terms: Any) -> Coupon:
    return coupons.add(code, Terms.of(**({"value": Decimal(10)} | terms)))


def uses() -> list[tuple[Any, ...]]:
    rows = Redemption.select().order_by(Redemption.id)
    return [(row.code, row.client_id, row.invoice_id, row.state) for row in rows]


def test_a_coupon_is_applied_to_an_invoice_once(ask: Ask) -> None:
    a_coupon(coupon_type="invoice", max_usage=1)
    assert ask("applyInvoiceCoupon", id="7", applycoupon="CODE", client_id="3") == ADDED
    assert ask("applyInvoiceCoupon", id="7", applycoupon="CODE", client_id="3") == ADDED
    assert uses() == [("CODE", 3, 7, "used")]
    assert ask("applyInvoiceCoupon", id="8", applycoupon="CODE") == {
        "error": ["The promotion code has been used as often as it may be"]
    }
    assert_counts_are_right()


def test_a_coupon_is_applied_by_its_id_where_no_live_code_is_spelled_so(ask: Ask) -> None:
    first = a_coupon("FIRST", coupon_type="invoice")
    assert ask("applyInvoiceCoupon", id="1", applycoupon=str(first.id)) == ADDED
    spelled = a_coupon(str(first.id), coupon_type="invoice")
    assert ask("applyInvoiceCoupon", id="2", applycoupon=str(first.id)) == ADDED
    assert [use[0] for use in uses()] == ["FIRST", spelled.code]
    coupon_life.edit(spelled.id, TODAY, live=False)
    assert ask("applyInvoiceCoupon", id="3", applycoupon=str(first.id)) == ADDED
    assert [use[0] for use in uses()] == ["FIRST", spelled.code, "FIRST"]


def test_wrong_arguments_are_told_in_the_order_of_the_parameters(ask: Ask) -> None:
    assert ask("applyInvoiceCoupon", amount="x", client_id="-1", id="0") == {
        "error": [
            "Wrong parameter: id (must be 1 or more)",
            "Wrong parameter: applycoupon (is required)",
            "Wrong parameter: client_id (must be 0 or more)",
            "Wrong parameter: amount (must be a number with 12 digits and 2 decimals at most)",
        ]
    }


def test_an_archived_coupon_is_named_as_such_and_not_mixed_up_by_its_id(ask: Ask) -> None:
    first = a_coupon("CODE", coupon_type="invoice")
    coupon_life.edit(first.id, TODAY, live=False)
    archived = {"error": ["The promotion code is archived"]}
    assert ask("applyInvoiceCoupon", id="1", applycoupon="CODE") == archived
    second = a_coupon("CODE", coupon_type="invoice")
    assert ask("applyInvoiceCoupon", id="1", applycoupon=str(first.id)) == archived
    assert ask("applyInvoiceCoupon", id="1", applycoupon="CODE") == ADDED
    assert coupons.by_id(second.id).num_usage == 1


@pytest.mark.parametrize("name", ["NONE", "99", "0", "00001", "9" * 30])
def test_a_coupon_that_is_not_there_is_not_applied(ask: Ask, name: str) -> None:
    a_coupon("FIRST", coupon_type="invoice")
    assert ask("applyInvoiceCoupon", id="1", applycoupon=name) == {
        "error": ["The promotion code does not exist"]
    }


def test_amounts_of_an_invoice_are_written_down(ask: Ask) -> None:
    a_coupon(coupon_type="invoice", applyto="both")
    ask("applyInvoiceCoupon", id="7", applycoupon="CODE", amount="33.35", setup_amount="0.04")
    row = Redemption.get()
    assert (row.discount, row.setup_discount) == (Decimal("3.34"), Decimal("0"))
    assert row.api_id == PAIR.api_id


def test_what_is_wrong_with_an_application_is_said_argument_by_argument(ask: Ask) -> None:
    assert ask("applyInvoiceCoupon", id="0", client_id="-1", amount="1,50", setup_amount="NaN") == {
        "error": [
            "Wrong parameter: id (must be 1 or more)",
            "Wrong parameter: applycoupon (is required)",
            "Wrong parameter: client_id (must be 0 or more)",
            "Wrong parameter: amount (must be a number with 12 digits and 2 decimals at most)",
            "Wrong parameter: setup_amount "
            "(must be a number with 12 digits and 2 decimals at most)",
        ]
    }


def test_a_quote_says_what_a_code_takes_off_and_changes_nothing(ask: Ask) -> None:
    a_coupon(applyto="both", max_usage=1)
    for _ in range(3):
        assert ask("validatePromoCode", code="CODE", amount="33.35", setup_amount="0.05") == {
            "valid": True,
            "reason": "",
            "message": "",
            "discount": "3.34",
            "setup_discount": "0.01",
            "total_discount": "3.35",
        }
    assert uses() == []
    assert coupons.by_code("CODE").num_usage == 0


def test_a_quote_without_amounts_says_whether_the_code_can_be_used(ask: Ask) -> None:
    a_coupon()
    answer = ask("validatePromoCode", code="CODE")
    assert answer == {"valid": True, "reason": "", "message": ""} | NOTHING_OFF


@pytest.mark.parametrize(
    ("terms", "arguments", "reason", "message"),
    [
        ({}, {"code": "NONE"}, "code_not_found", "The promotion code does not exist"),
        ({"client_id": 2}, {"client_id": "3"}, "client_other", "belongs to another client"),
        ({}, {"invoice_id": "3"}, "not_for_invoices", "is not for invoices"),
        ({"clients": "new"}, {"clients": "existing"}, "new_clients_only", "new clients only"),
        (
            {"min_cart_amount": Decimal(9)},
            {"amount": "8.99"},
            "cart_too_small",
            "below the amount",
        ),
    ],
)
def test_a_quote_that_is_refused_is_a_successful_answer(
    ask: Ask, terms: dict[str, Any], arguments: dict[str, str], reason: str, message: str
) -> None:
    a_coupon(**terms)
    answer = ask("validatePromoCode", **({"code": "CODE"} | arguments))
    assert message in answer.pop("message")
    assert answer == {"valid": False, "reason": reason} | NOTHING_OFF


def test_a_redemption_is_answered_whole(ask: Ask) -> None:
    coupon = a_coupon()
    answer = ask("redeemPromoCode", code="CODE", amount="10", client_id="3", order_id="9")
    assert list(answer["redemption"].items()) == [
        ("id", str(Redemption.get().id)),
        ("coupon_id", str(coupon.id)),
        ("code", "CODE"),
        ("batch_id", "0"),
        ("client_id", "3"),
        ("invoice_id", "0"),
        ("order_id", "9"),
        ("amount", "10.00"),
        ("setup_amount", ""),
        ("discount", "1.00"),
        ("setup_discount", "0.00"),
        ("state", "used"),
        ("api_id", PAIR.api_id),
        ("redeemed_at", "2023-11-14 22:13:20"),
        ("released_at", "0000-00-00 00:00:00"),
    ]
    assert answer["info"] == ["The promotion code has been redeemed"]
    assert_counts_are_right()


def test_a_redemption_on_an_invoice_is_made_once(ask: Ask) -> None:
    a_coupon(coupon_type="invoice_cart")
    first = ask("redeemPromoCode", code="CODE", invoice_id="7")
    again = ask("redeemPromoCode", code="CODE", invoice_id="7")
    assert again["redemption"] == first["redemption"]
    assert again["info"] == ["The promotion code was redeemed on this invoice before"]
    in_carts = [ask("redeemPromoCode", code="CODE")["redemption"]["id"] for _ in range(2)]
    assert len({first["redemption"]["id"], *in_carts}) == 3
    assert_counts_are_right()


def test_a_refused_redemption_is_a_failure_with_the_sentence(ask: Ask) -> None:
    a_coupon(coupon_type="invoice")
    assert ask("redeemPromoCode", code="CODE") == {
        "error": ["The promotion code is not for orders"]
    }
    assert ask("redeemPromoCode", code="NONE") == {"error": ["The promotion code does not exist"]}
    assert uses() == []


def test_a_redemption_is_released_once(ask: Ask) -> None:
    a_coupon(max_usage=1)
    made = ask("redeemPromoCode", code="CODE")["redemption"]
    released = ask("releasePromoCode", id=made["id"])
    assert released["info"] == ["The redemption has been released"]
    assert released["redemption"] == made | {
        "state": "released",
        "released_at": "2023-11-14 22:13:20",
    }
    assert ask("releasePromoCode", id=made["id"]) == released | {
        "info": ["The redemption was released before"]
    }
    assert ask("validatePromoCode", code="CODE")["valid"]
    assert_counts_are_right()


def test_releasing_what_is_not_there_is_a_failure(ask: Ask) -> None:
    assert ask("releasePromoCode", id="5") == {"error": ["There is no redemption 5"]}
    assert ask("releasePromoCode") == {"error": ["Wrong parameter: id (is required)"]}


@pytest.mark.parametrize(
    ("argument", "value", "reason"),
    [
        ("amount", "NaN", "must be a number with 12 digits and 2 decimals at most"),
        ("amount", "1e999", "must be a number with 12 digits and 2 decimals at most"),
        ("amount", "Infinity", "must be a number with 12 digits and 2 decimals at most"),
        ("amount", "1,50", "must be a number with 12 digits and 2 decimals at most"),
        ("amount", "1.005", "must be a number with 12 digits and 2 decimals at most"),
        ("amount", "9" * 13, "must be a number with 12 digits and 2 decimals at most"),
        ("amount", "\uff19", "must be a number with 12 digits and 2 decimals at most"),
        ("amount", "-5", "must be 0 or more"),
        ("setup_amount", "-0.01", "must be 0 or more"),
        ("amount[]", "5", "must be one plain value"),
        ("client_id", "x", "must be a whole number"),
        ("client_id", "99999999999", "must be 2147483647 or less"),
        ("invoice_id", "1.0", "must be a whole number"),
        ("order_id", " 7", "must be a whole number"),
        ("clients", "all", "must be one of new, existing"),
    ],
)
@pytest.mark.parametrize("call", ["redeemPromoCode", "validatePromoCode"])
def test_a_wrong_argument_is_named_and_nothing_is_written(
    ask: Ask, call: str, argument: str, value: str, reason: str
) -> None:
    a_coupon()
    name = argument.removesuffix("[]")
    assert ask(call, code="CODE", **{argument: value}) == {
        "error": [f"Wrong parameter: {name} ({reason})"]
    }
    assert uses() == []


@pytest.mark.parametrize(
    ("places", "good", "bad", "shown", "off"),
    [
        (0, "105.000", "105.5", "105", "11"),
        (1, "105.5", "105.55", "105.5", "10.6"),
        (3, "1.005", "1.0055", "1.005", "0.101"),
        (4, "1.0005", "1.00005", "1.0005", "0.1001"),
    ],
)
def test_amounts_have_the_places_of_the_currency(
    store: Settings, places: int, good: str, bad: str, shown: str, off: str
) -> None:
    accesses.add("tests", PAIR)
    a_coupon()
    app = create_app(replace(store, amount_places=places))

    def ask(call: str, amount: str) -> Any:
        query = CREDENTIALS | {"call": call}
        data = {"code": "CODE", "amount": amount}
        return app.test_client().post("/admin/api.php", query_string=query, data=data).get_json()

    assert ask("redeemPromoCode", bad)["error"] == [
        f"Wrong parameter: amount (must be a number with 12 digits and {places} decimals at most)"
    ]
    made = ask("redeemPromoCode", good)["redemption"]
    assert (made["amount"], made["discount"]) == (shown, off)
    assert ask("validatePromoCode", good)["total_discount"] == off
    app.config["USAGE_LOG"].close()


def test_amounts_of_a_currency_with_more_places_are_still_shown_whole(store: Settings) -> None:
    accesses.add("tests", PAIR)
    app = create_app(replace(store, amount_places=0))
    for amount in ("10.50", "7"):
        Redemption.create(
            coupon_id=1, batch_id=0, code="C", amount=Decimal(amount), redeemed_at=GOLDEN_TIME
        )
    query = CREDENTIALS | {"call": "listPromoUsage"}
    answer = app.test_client().get("/admin/api.php", query_string=query).get_json()
    assert [row["amount"] for row in answer["usage"]] == ["7", "10.5"]
    app.config["USAGE_LOG"].close()


def test_an_expired_code_is_inactive_from_the_first_request_of_the_next_day(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_coupon(expires=TODAY)
    shown = {"code": "CODE"}
    assert ask("getPromoDetailsByCode", **shown)["coupon"]["active"] == "1"
    monkeypatch.setattr("models.store.clock.now", lambda: GOLDEN_TIME + 86_400)
    assert ask("getPromoDetailsByCode", **shown)["coupon"]["active"] == "0"
    assert ask("validatePromoCode", **shown)["reason"] == "code_expired"


def test_the_day_is_that_of_the_installation(store: Settings) -> None:
    """At 22:13 UTC it is the next day in Tokyo already and noon in Honolulu."""
    accesses.add("tests", PAIR)
    a_coupon(expires=TODAY)
    query = CREDENTIALS | {"call": "validatePromoCode"}
    for zone, valid in (("Pacific/Honolulu", True), ("Asia/Tokyo", False)):
        app = create_app(replace(store, timezone=zone))
        answer = app.test_client().post("/admin/api.php", query_string=query, data={"code": "CODE"})
        assert answer.get_json()["valid"] is valid
        app.config["USAGE_LOG"].close()


def test_a_quote_agrees_with_the_redemption_that_a_sale_has_already(ask: Ask) -> None:
    a_coupon(max_usage=1)
    sale = {"code": "CODE", "client_id": "3", "order_id": "9"}
    taken = ask("redeemPromoCode", amount="50", **sale)["redemption"]
    quoted = ask("validatePromoCode", amount="70", idempotency_key="k1", **sale)
    assert (quoted["valid"], quoted["reason"], quoted["discount"]) == (True, "", "5.00")
    again = ask("redeemPromoCode", amount="70", **sale)
    assert again["redemption"] == taken
    other = ask("validatePromoCode", amount="70", **(sale | {"order_id": "10"}))
    assert (other["valid"], other["reason"]) == (False, "code_used_up")
