"""editPromoCode and deletePromoCode, and addPromoCode where it meets the rest of a code's life."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from models.promotions import batch_life, batches, coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from tests.calls.conftest import Ask
from tests.conftest import GOLDEN_TIME
from tests.recount import assert_counts_are_right

TODAY = datetime.fromtimestamp(GOLDEN_TIME, UTC).date()
CHANGED = ["The coupon has been changed"]
UNCHANGED = ["Nothing was changed: all of it was so before"]

pytestmark = pytest.mark.usefixtures("still_time", "store")


def a_coupon(code: str = "CODE", **terms: Any) -> Coupon:
    return coupons.add(code, Terms.of(**({"value": Decimal(10)} | terms)))


def edited(ask: Ask, coupon: Coupon, **arguments: Any) -> Coupon:
    """Return a coupon after a call that changed it."""
    answer = ask("editPromoCode", id=str(coupon.id), **arguments)
    assert answer == {"code": coupon.code, "info": CHANGED}
    assert_counts_are_right()
    return coupons.by_id(coupon.id)


def rows() -> list[Any]:
    return [list(each.select().order_by(each.id).dicts()) for each in (Coupon, Terms)]


def test_a_coupon_of_a_batch_is_changed_alone(ask: Ask) -> None:
    batch = batch_life.make("Batch", Terms.of(value=Decimal(10)), 3)
    first, *others = Coupon.select().order_by(Coupon.id)
    answer = ask("editPromoCode", code=first.code, value="30", notes="Mine", max_usage="1")
    assert answer == {"code": first.code, "info": CHANGED}
    assert_counts_are_right()
    terms = coupons.by_id(first.id).terms
    assert (terms.value, terms.notes, terms.max_usage) == (30, "Mine", 1)
    assert {coupons.by_id(other.id).terms_id for other in others} == {batch.terms_id}
    after = batches.by_id(batch.id)
    assert (after.terms_id, after.revision) == (batch.terms_id, batch.revision + 1)
    listed = ask("listPromoBatches")["batches"][0]["coupons"]
    assert [coupon["value"] for coupon in listed] == [30, 10, 10]


def test_only_what_is_given_changes(ask: Ask) -> None:
    coupon = a_coupon(products={"1": "1"}, max_usage=3, expires=TODAY, clients="new")
    before = coupon.terms.content()
    for nothing in ({}, {"value": ""}, {"value": "10", "status": "Active", "active": "1"}):
        assert ask("editPromoCode", id=str(coupon.id), **nothing)["info"] == UNCHANGED
        assert coupons.by_id(coupon.id).terms.content() == before
    assert edited(ask, coupon, value="5").terms.content() == before | {"value": Decimal(5)}
    after = before | {"value": Decimal(5), "expires": None}
    assert edited(ask, coupon, value="", expires="").terms.content() == after


def test_a_coupon_is_stopped_and_started(ask: Ask) -> None:
    coupon = a_coupon()
    assert not edited(ask, coupon, active="0").active
    assert ask("validatePromoCode", code="CODE")["reason"] == "code_inactive"
    assert not edited(ask, coupon, value="20").active
    assert edited(ask, coupon, active="1").active
    assert ask("validatePromoCode", code="CODE")["valid"]


def test_a_coupon_is_archived_and_live_again(ask: Ask) -> None:
    coupon = a_coupon()
    assert edited(ask, coupon, status="Archived").live is None
    assert ask("getPromoDetailsByCode", code="CODE")["coupon"]["status"] == "Archived"
    other = a_coupon()
    assert ask("editPromoCode", id=str(coupon.id), status="Active") == {
        "error": ["The promotion code already exists"]
    }
    assert ask("editPromoCode", code="CODE", value="99")["info"] == CHANGED
    assert coupons.by_id(other.id).terms.value == 99
    edited(ask, other, status="Archived")
    assert edited(ask, coupon, status="Active").live


def test_a_code_that_has_ended_is_not_made_active(ask: Ask) -> None:
    coupon = a_coupon(max_usage=1)
    ask("redeemPromoCode", code="CODE")
    before = rows()
    assert ask("editPromoCode", code="CODE", active="1", value="77") == {
        "error": ["The promotion code cannot be active: it is used up or has expired"]
    }
    assert rows() == before
    assert edited(ask, coupon, active="1", max_usage="2").active


@pytest.mark.parametrize(
    ("arguments", "errors"),
    [
        ({}, ["Wrong parameter: code (is required when id is not given)"]),
        ({"code": "NONE"}, ["The promotion code does not exist"]),
        ({"id": "99"}, ["There is no coupon 99"]),
        ({"id": "x"}, ["Wrong parameter: id (must be a whole number)"]),
        (
            {"id": "1", "code": "OTHER"},
            ["Wrong parameter: code (is not the code of the coupon with this id)"],
        ),
    ],
)
@pytest.mark.parametrize("call", ["editPromoCode", "deletePromoCode"])
def test_a_coupon_is_named_by_its_code_or_its_id(
    ask: Ask, call: str, arguments: dict[str, str], errors: list[str]
) -> None:
    a_coupon()
    before = rows()
    assert ask(call, **arguments) == {"error": errors}
    assert rows() == before


@pytest.mark.parametrize(
    ("arguments", "errors"),
    [
        (
            {"value": "1e999", "expires": "2024-02-30", "active": "maybe", "status": "x"},
            ["value", "expires", "status", "active"],
        ),
        ({"value": "100.5"}, ["value"]),
        ({"apply_forms": "1"}, ["forms"]),
        ({"apply_widgets": "1"}, ["apply_widgets"]),
        ({"max_client_usage_limit": "1"}, ["max_client_usage"]),
        ({"cycles[]": "Sometimes"}, ["cycles"]),
        ({"value[]": "5"}, ["value"]),
    ],
)
def test_a_wrong_edit_names_each_argument_and_changes_nothing(
    ask: Ask, arguments: dict[str, str], errors: list[str]
) -> None:
    a_coupon()
    before = rows()
    said = ask("editPromoCode", code="CODE", notes="New", **arguments)["error"]
    assert [text.removeprefix("Wrong parameter: ").split(" (")[0] for text in said] == errors
    assert all(text.endswith(")") for text in said)
    assert rows() == before


def test_a_coupon_is_deleted_and_its_uses_stay(ask: Ask) -> None:
    batch = batch_life.make("Batch", Terms.of(), 2)
    first, _ = Coupon.select().order_by(Coupon.id)
    made = ask("redeemPromoCode", code=first.code)["redemption"]
    assert ask("deletePromoCode", code=first.code) == {
        "code": first.code,
        "info": ["The coupon has been deleted"],
    }
    assert_counts_are_right()
    after = batches.by_id(batch.id)
    assert (after.coupons_count, after.coupons_used) == (1, 0)
    assert ask("listPromoUsage", code=first.code)["usage"] == [made]
    assert ask("releasePromoCode", id=made["id"])["redemption"]["state"] == "released"
    assert_counts_are_right()


def test_the_live_one_of_two_equal_codes_is_deleted_first(ask: Ask) -> None:
    first = a_coupon()
    coupon_life.edit(first.id, TODAY, live=False)
    a_coupon()
    ask("deletePromoCode", code="CODE")
    assert [coupon.id for coupon in Coupon.select()] == [first.id]
    ask("deletePromoCode", id=str(first.id), code="CODE")
    assert_counts_are_right()
    assert ask("deletePromoCode", code="CODE") == {"error": ["The promotion code does not exist"]}


def test_a_code_that_has_expired_already_is_added_inactive(ask: Ask) -> None:
    least = {"coupon_type": "cart", "type": "percent", "value": "5"}
    ask("addPromoCode", code="OLD", expires="2023-11-13", **least)
    ask("addPromoCode", code="LAST", expires="2023-11-14", **least)
    assert not coupons.by_code("OLD").active
    assert coupons.by_code("LAST").active


def test_a_code_that_is_not_added_leaves_nothing(ask: Ask) -> None:
    a_coupon()
    before = rows()
    answer = ask("addPromoCode", code="CODE", coupon_type="cart", type="percent", value="77")
    assert answer == {"error": ["The promotion code already exists"]}
    assert rows() == before
