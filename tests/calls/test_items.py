"""What is bought decides: validatePromoCode, redeemPromoCode and applyInvoiceCoupon."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app import create_app
from app.config import Settings
from calls.wire import near_misses
from models.access import accesses
from models.promotions import coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import NAMES, Restriction, Terms
from models.redemptions.redemption import Redemption
from tests.calls.conftest import Ask
from tests.conftest import GOLDEN_TIME
from tests.credentials import CREDENTIALS, PAIR
from tests.recount import assert_counts_are_right

DAY = 86_400
RESTRICTED = {"products": {"5": "5", "7": "7"}}

pytestmark = pytest.mark.usefixtures("still_time", "store")


def a_coupon(code: str = "CODE", **terms: Any) -> Coupon:
    whole = {"value": Decimal(50), "coupon_type": "invoice_cart"} | terms
    return coupons.add(code, Terms.of(**whole))


def items(*lines: dict[str, str]) -> dict[str, str]:
    return {
        f"items[{at}][{name}]": value
        for at, line in enumerate(lines)
        for name, value in line.items()
    }


REASON = {True: "", False: "not_for_these_items", None: "items_missing"}


@pytest.mark.any_store
@pytest.mark.parametrize(
    ("terms", "bought", "fits"),
    [
        ({}, {}, True),
        ({}, {"products[]": "5"}, True),
        (RESTRICTED, {"products[]": "5"}, True),
        (RESTRICTED, {"products[]": ["5", "7"]}, True),
        (RESTRICTED, {"products": "7"}, True),
        (RESTRICTED, {"products[]": "9"}, False),
        (RESTRICTED, {"products[]": ["5", "9"]}, None),
        (RESTRICTED, {"products[]": "5", "addons[]": "5"}, None),
        (RESTRICTED, {"addons[]": "5"}, False),
        (RESTRICTED, {"upgrade": "5"}, False),
        (RESTRICTED, {"products[]": "9", "upgrade": "5"}, False),
        (RESTRICTED, {}, None),
        (RESTRICTED, {"products": "0"}, None),
        (RESTRICTED, {"cycle": "Monthly"}, None),
        (RESTRICTED, {"categories[]": "5"}, None),  # the product may be one of them
        ({"categories": {"3": "3"}}, {"products[]": "3"}, None),
        ({"categories": {"3": "3"}}, {"products[]": "9", "categories[]": "3"}, True),
        ({"categories": {"3": "3"}}, {"products[]": "9", "categories[]": "4"}, False),
        ({"categories": {"3": "3"}}, {"products[]": "9", "categories[]": ["3", "4"]}, None),
        ({"categories": {"3": "3"}}, {"categories[]": ["3", "4"]}, None),
        ({"addons": {"2": "2"}, "forms": {"8": "8"}}, {"addons[]": "2", "forms[]": "8"}, True),
        ({"addons": {"2": "2"}, "forms": {"8": "8"}}, {"addons[]": "8"}, False),
        ({"domains": {".com": ".com"}}, {"domains[]": "com"}, True),
        ({"domains": {".com": ".com"}}, {"domains[]": ".COM"}, True),
        ({"domains": {".co.uk": ".co.uk"}}, {"domains[]": ".uk"}, False),
        ({"cycles": {"Monthly": "Monthly"}}, {"cycle": "monthly"}, True),
        ({"cycles": {"Monthly": "Monthly"}}, {"cycle": "Annually"}, False),
        ({"cycles": {"Monthly": "Monthly"}}, {"products[]": "9"}, None),
        ({"cycles": {"Hourly": "Hourly", "tld1": "tld1"}}, {"cycle": "tld1"}, True),
        ({"cycles": {"0": "0"}}, {}, True),
        ({"cycles": {"0": "Monthly", "1": "Annually"}}, {"cycle": "Annually"}, True),
        ({"cycles": {"0": "Monthly", "1": "Annually"}}, {"cycle": "1"}, False),
        ({"products": {"0": "0"}}, {"products[]": "9"}, True),
        ({"upgrades": {"3": "3"}}, {"upgrade": "3"}, True),
        ({"upgrades": ["3", 4]}, {"upgrade": "4"}, True),
        ({"upgrades": "3,4"}, {"upgrade": "4", "products[]": "1"}, True),
        ({"upgrades": ["3"]}, {"upgrade": "4"}, False),
        ({"upgrades": ["3"]}, {"products[]": "3"}, False),
        ({"upgrades": False}, {}, True),
        ({"upgrades": True}, {}, True),
        ({"upgrades": 4}, {"upgrade": "4"}, True),
        ({"upgrades": {"0": "0", "3": "3"}}, {}, True),
        ({"options": "1"}, {"domains[]": ".com", "domain_action": "register"}, True),
        ({"options": "1"}, {"domains[]": ".com", "domain_action": "transfer"}, False),
        ({"options": "6"}, {"domains[]": ".com", "domain_action": "renew"}, True),
        ({"options": "6"}, {"domains[]": ".com"}, None),
        ({"options": "6"}, {"products[]": "1"}, True),
        ({"options": "6"}, {}, None),
        ({"options": "7"}, {"domains[]": ".com"}, True),
        ({"options": "8"}, {"domains[]": ".com"}, True),
        ({"options": "odd"}, {"domains[]": ".com"}, True),
        ({"options": ""}, {}, True),
    ],
    ids=str,
)
def test_a_restricted_code_is_decided_by_what_is_bought(
    ask: Ask, terms: dict[str, Any], bought: dict[str, Any], fits: bool | None
) -> None:
    a_coupon(**terms)
    quote = ask("validatePromoCode", code="CODE", amount="10", **bought)
    assert (quote["reason"], quote["valid"]) == (REASON[fits], bool(fits))
    assert quote["discount"] == ("5.00" if fits else "0.00")
    made = ask("redeemPromoCode", code="CODE", amount="10", **bought)
    if fits:
        assert made["redemption"]["discount"] == "5.00"
    else:
        assert made == {"error": [quote["message"]]}
    assert_counts_are_right()


@pytest.mark.parametrize("applyto", ["price", "setupfee", "both"])
def test_the_discount_is_of_the_matching_lines_alone(ask: Ask, applyto: str) -> None:
    a_coupon(**RESTRICTED, applyto=applyto)
    bought = items(
        {"product": "5", "amount": "20", "setup_amount": "4", "quantity": "3"},
        {"product": "9", "amount": "80", "setup_amount": "10"},
        {"product": "7", "amount": "0.01"},
    )
    off = ("30.01" if applyto != "setupfee" else "0.00", "6.00" if applyto != "price" else "0.00")
    quote = ask("validatePromoCode", code="CODE", **bought)
    assert (quote["discount"], quote["setup_discount"]) == off
    made = ask("redeemPromoCode", code="CODE", **bought)["redemption"]
    assert (made["discount"], made["setup_discount"]) == off
    assert (made["amount"], made["setup_amount"]) == ("140.01", "22.00")


def test_a_fixed_value_is_taken_once_off_all_matching_lines(ask: Ask) -> None:
    a_coupon(**RESTRICTED, type="fixed", value=Decimal(30))
    bought = items(
        {"product": "5", "amount": "20"},
        {"product": "7", "amount": "20"},
        {"product": "9", "amount": "80"},
    )
    assert ask("validatePromoCode", code="CODE", **bought)["discount"] == "30.00"


def test_the_minimum_is_of_the_whole_cart(ask: Ask) -> None:
    a_coupon(**RESTRICTED, min_cart_amount=Decimal(100))
    bought = {"product": "5", "amount": "20"}, {"product": "9", "amount": "80"}
    assert ask("validatePromoCode", code="CODE", **items(*bought))["discount"] == "10.00"
    quote = ask("validatePromoCode", code="CODE", **items(bought[0]))
    assert quote["reason"] == "cart_too_small"


def test_lines_without_amounts_are_still_decided(ask: Ask) -> None:
    a_coupon(**RESTRICTED)
    bought = items({"product": "5"}, {"product": "9"})
    assert ask("validatePromoCode", code="CODE", **bought)["valid"]
    assert ask("redeemPromoCode", code="CODE", **bought)["redemption"]["discount"] == ""


def test_a_refusal_names_what_a_code_is_for_but_not_all_of_a_long_list(ask: Ask) -> None:
    many = {str(number): str(number) for number in range(1, NAMES + 5)}
    a_coupon(products=many, cycles={"Monthly": "Monthly"}, options="5")
    message = ask("validatePromoCode", code="CODE", products="999")["message"]
    assert f", {NAMES} and 4 more; cycles Monthly; domain actions register, renew)" in message


def test_most_items_are_decided_at_once(ask: Ask) -> None:
    a_coupon(products={str(number): str(number) for number in range(1, 1000)})
    bought = items(*({"product": str(number), "amount": "1"} for number in range(1, 491)))
    assert ask("validatePromoCode", code="CODE", **bought)["discount"] == "245.00"


def test_what_is_told_to_the_vendors_call_is_checked(ask: Ask) -> None:
    a_coupon(**RESTRICTED, max_client_usage=1, min_cart_amount=Decimal(10))
    for told, refused in (
        ({"products[]": "9"}, "not for these items"),
        ({"products[]": ["5", "9"]}, "some items only"),
        ({"amount": "9"}, "below the amount"),
    ):
        assert refused in ask("applyInvoiceCoupon", id="7", applycoupon="CODE", **told)["error"][0]
    whole = {"products[]": "5", "amount": "10", "client_id": "3", "applycoupon": "CODE"}
    assert len(ask("applyInvoiceCoupon", id="7", **whole)["info"]) == 1
    assert Redemption.get().discount == Decimal(5)
    assert "as often" in ask("applyInvoiceCoupon", id="8", **whole)["error"][0]


def test_the_largest_amounts_are_kept_whole(ask: Ask) -> None:
    a_coupon(type="fixed", value=Decimal("0.01"))
    line = {"product": "5", "amount": "999999999999.99", "quantity": "1000000"}
    made = ask("redeemPromoCode", code="CODE", **items(*[line] * 300))["redemption"]
    assert (made["amount"], made["discount"]) == ("299999999999997000000.00", "0.01")


def test_equal_terms_are_read_once() -> None:
    terms = Terms.of(**RESTRICTED)
    assert Restriction.of(Terms.by_id(terms.id)) is Restriction.of(terms)


def test_a_recurring_discount_ends_after_its_days(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_coupon(cycle="recurring", increase_in_days=90)
    service = {"code": "CODE", "account_id": "77", "client_id": "12", "amount": "10"}
    ask("redeemPromoCode", invoice_id="900", **service)
    monkeypatch.setattr("models.store.clock.now", lambda: GOLDEN_TIME + 200 * DAY)
    quote = ask("validatePromoCode", invoice_id="950", **service)
    assert (quote["valid"], quote["reason"]) == (False, "no_longer_discounted")


UNTOLD = pytest.mark.parametrize(
    ("terms", "told", "refused", "not_checked"),
    [
        (RESTRICTED, {}, "for some items only", "what is bought"),
        ({"client_id": 3}, {}, "needs a client_id", "who the client is"),
        ({"max_client_usage": 1}, {}, "needs a client_id", "how often the client used it"),
        ({"min_cart_amount": Decimal(9)}, {}, "below the amount", "the smallest amount"),
        ({"min_cart_amount": Decimal(9)}, {"amount": "9"}, None, None),
        (RESTRICTED, {"products[]": "5"}, None, None),
        ({"client_id": 3, "max_client_usage": 1}, {"client_id": "3"}, None, None),
        ({"max_usage": 1, "cycle": "recurring"}, {}, None, None),
    ],
    ids=str,
)


@pytest.mark.any_store
@UNTOLD
def test_what_the_vendors_call_does_not_tell_is_counted_and_said(
    ask: Ask, terms: dict[str, Any], told: dict[str, str], refused: str, not_checked: str | None
) -> None:
    a_coupon(**terms)
    added, *more = ask("applyInvoiceCoupon", id="7", applycoupon="CODE", **told)["info"]
    assert added == "The coupon has been added to the invoice"
    said = f"Not checked, as the call does not tell it: {not_checked}"
    assert more == ([said] if not_checked else [])
    assert Redemption.get().code == "CODE"
    assert_counts_are_right()


@pytest.mark.any_store
@UNTOLD
def test_what_the_vendors_call_does_not_tell_is_refused_where_that_is_set(
    store: Settings,
    terms: dict[str, Any],
    told: dict[str, str],
    refused: str | None,
    not_checked: str,
) -> None:
    accesses.add("tests", PAIR)
    a_coupon(**terms)
    app = create_app(replace(store, unknown_facts="refuse"))
    query = CREDENTIALS | {"call": "applyInvoiceCoupon"}
    data = {"id": "7", "applycoupon": "CODE"} | told
    answer = app.test_client().post("/admin/api.php", query_string=query, data=data).get_json()
    assert answer["success"] is (refused is None)
    assert refused is None or refused in answer["error"][0]
    assert Redemption.select().exists() is (refused is None)
    app.config["USAGE_LOG"].close()


def test_a_slip_in_the_name_of_what_an_item_is_names_what_was_meant(ask: Ask) -> None:
    said = ask("validatePromoCode", code="CODE", **{"items[0][prodcut]": "5", "items[1][x]": "5"})
    assert said["error"] == [
        "Wrong parameter: items ([0][prodcut] is unknown, did you mean product?; [1][x] is unknown)"
    ]


def test_few_unknown_names_of_items_are_compared_and_told(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    nearest = near_misses.nearest
    monkeypatch.setattr(
        near_misses, "nearest", lambda *names: compared.append(names) or nearest(*names)
    )
    given = {f"items[{at % 9}][{'a' * 200}{at}]": "5" for at in range(900)}
    [said] = ask("validatePromoCode", code="CODE", **given)["error"]
    assert said.count("is unknown") == len(compared) == 10
    assert len(said) < 1000
