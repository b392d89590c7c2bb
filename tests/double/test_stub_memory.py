"""Discounts that some calls say and others show."""

from __future__ import annotations

from typing import Any

import pytest

from app.double import memory
from app.double.memory import UPDATED, Memory

CUSTOM = {"coupon": "custom", "type": "percent", "value": "15"}


def told(of: Memory, name: str, sample: dict[str, Any] | None = None, **arguments: Any) -> Any:
    """Return the answer of a call without `success`."""
    answer = of.told(name, arguments, {"success": True} | (sample or {}))
    assert answer.pop("success") is True
    return answer


def test_an_account_shows_its_discount_until_it_is_taken_off() -> None:
    kept = Memory()
    details = {"details": {"id": "7", "domain": "x.example"}}
    assert told(kept, "getAccountDetails", details, id="7") == details
    assert told(kept, "accountSetDiscount", id="7", **CUSTOM) == {"info": [UPDATED]}
    shown = {"details": details["details"] | {"discount": CUSTOM}}
    assert told(kept, "GETACCOUNTDETAILS", details, id="7") == shown
    assert told(kept, "getAccountDetails", details, id="8") == details
    told(kept, "accountSetDiscount", id="7", coupon="12")
    discount = told(kept, "getAccountDetails", id="7")["details"]["discount"]
    assert discount == {"coupon": "12"}
    told(kept, "accountSetDiscount", id="7", coupon="0")
    assert told(kept, "getAccountDetails", details, id="7") == details


def test_a_draft_has_one_discount() -> None:
    kept = Memory()
    items = {"items": {"1": {"type": "fixed", "value": "5"}}, "target": "items", "cycle": "once"}
    first, second = CUSTOM | items, {"coupon": "client"}
    assert told(kept, "getOrderDraft", id="3") == {"draft": []}
    assert told(kept, "addOrderDraftDiscount", id="3", **first) == {"draft": []}
    assert told(kept, "getOrderDraft", id="3") == {"draft": {"discount": first}}
    told(kept, "addOrderDraftDiscount", {"draft": []}, id="3", **second)
    sample = {"draft": {"total": "9.00"}}
    shown = {"draft": {"total": "9.00", "discount": second}}
    assert told(kept, "getOrderDraft", sample, id="3") == shown
    assert told(kept, "getOrderDraft", sample, id="4") == sample
    assert told(kept, "removeOrderDraftDiscount", sample, id="3") == sample
    assert told(kept, "getOrderDraft", sample, id="3") == sample


def test_an_invoice_shows_the_discounts_of_its_accounts() -> None:
    kept = Memory()
    told(kept, "accountSetDiscount", id="49", **CUSTOM)
    items: list[Any] = [{"item_id": "49"}, {"item_id": 49}, {"item_id": "50"}, {}, "odd"]
    sample: dict[str, Any] = {"invoice": {"id": "64", "items": items}}
    shown = told(kept, "getInvoiceDetails", sample, id="64")["invoice"]["items"]
    assert [isinstance(each, dict) and each.get("discount") for each in shown] == [
        CUSTOM,
        CUSTOM,
        None,
        None,
        False,
    ]
    assert items[0] == {"item_id": "49"}  # the sample is as it was
    for odd in ({}, {"invoice": []}, {"invoice": {"items": {}}}):
        assert told(kept, "getInvoiceDetails", odd, id="64") == odd


def test_what_was_refused_or_names_nothing_is_not_kept() -> None:
    kept = Memory()
    refused = {"success": False, "error": ["Nope"]}
    assert kept.told("addOrderDraftDiscount", {"id": "3"} | CUSTOM, refused) is refused
    for odd in ({}, {"id": ""}, {"id": {"0": "3"}}):
        told(kept, "addOrderDraftDiscount", **odd, **CUSTOM)
        assert told(kept, "getOrderDraft", **odd) == {"draft": []}
    assert told(kept, "getOrderDraft", id="3") == {"draft": []}


def test_one_that_is_kept_is_changed_when_there_is_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "MOST", 1)
    kept = Memory()
    for number in ("1", "2", "1"):
        told(kept, "addOrderDraftDiscount", id=number, coupon=f"of {number}")
    told(kept, "addOrderDraftDiscount", id="1", coupon="other")
    assert told(kept, "getOrderDraft", id="1") == {"draft": {"discount": {"coupon": "other"}}}
    assert told(kept, "getOrderDraft", id="2") == {"draft": []}


def test_a_copy_is_another_one() -> None:
    kept = Memory()
    told(kept, "accountSetDiscount", id="1", coupon="a")
    told(kept, "addOrderDraftDiscount", id="1", coupon="b")
    other = kept.copy()
    told(kept, "accountSetDiscount", id="1", coupon="c")
    told(kept, "removeOrderDraftDiscount", id="1")
    assert told(other, "getAccountDetails", id="1")["details"]["discount"] == {"coupon": "a"}
    assert told(other, "getOrderDraft", id="1")["draft"]["discount"] == {"coupon": "b"}


def test_vouchers_of_affiliates_are_none_but_those_of_a_sample() -> None:
    assert told(Memory(), "getAffiliateVouchers") == {"vouchers": []}
    sample = {"vouchers": [{"id": "82"}]}
    assert told(Memory(), "getAffiliateVouchers", sample) == sample
    assert told(Memory(), "getClients", id="1") == {}


def test_which_arguments_a_call_needs() -> None:
    assert Memory().required("AddOrderDraftDiscount") == ("id", "coupon")
    assert Memory().required("removeOrderDraftDiscount") == ("id",)
    assert Memory().required("getAffiliateVouchers") == ()
    assert Memory().required("getClients") is None
