"""What a new code may be, and how a code is named to calls."""

from __future__ import annotations

from typing import Any

import pytest

from models.promotions import coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from tests.calls.conftest import Ask

pytestmark = pytest.mark.usefixtures("store")
WANTED = {"coupon_type": "cart", "type": "percent", "value": "15", "clients": "all"}
UNSEEN = ("\n", "\x7f", "\u00ad", "\u200b", "\u202e", "\u2028", "\u3164", "\ufe0f", "\ufeff")


def made(ask: Ask, code: str) -> Any:
    return ask("addPromoCode", code=code, **WANTED)


def test_a_code_with_blanks_and_in_small_letters_is_the_same_code(ask: Ask) -> None:
    assert "error" not in made(ask, "ALUM15")
    for text in (" alum15 ", "Alum15"):
        found = ask("getPromoDetailsByCode", code=text)
        assert found["coupon"]["code"] == "ALUM15"
        assert ask("validatePromoCode", code=text)["valid"]
        assert made(ask, text)["error"] == [coupons.CODE_EXISTS]
    assert "error" not in ask("editPromoCode", code="ALUM15", coupon_type="invoice")
    used = ask("redeemPromoCode", code=" alum15", amount="10", invoice_id="7", client_id="1")
    assert used["redemption"]["code"] == "ALUM15"
    again = ask("applyInvoiceCoupon", id="7", applycoupon="ALUM15 ")
    assert "error" not in again
    assert coupons.by_code("ALUM15").num_usage == 1
    assert [row["code"] for row in ask("listPromoUsage", code="Alum15")["usage"]] == ["ALUM15"]


@pytest.mark.parametrize("mark", UNSEEN)
def test_a_code_that_nobody_can_type_is_refused(ask: Ask, mark: str) -> None:
    why = "Wrong parameter: {} (must be printable characters)"
    assert made(ask, f"A{mark}B")["error"] == [why.format("code")]
    batch = ask("addPromoBatch", name="B", size="1", prefix=f"A{mark}B", **WANTED)
    assert batch["error"] == [why.format("prefix")]
    other = coupons.add("OTHER", Terms.of())
    named = {"id": str(other.id), "code": f"A{mark}B"}
    assert ask("updatePromoCode", **named, **WANTED)["error"] == [why.format("code")]
    assert [coupon.code for coupon in Coupon.select()] == ["OTHER"]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("  SUMMER SALE\t", "SUMMER SALE"),
        ("E\u0301TE\u0301", "ÉTÉ"),
        ("e\u0301" * 32, "é" * 32),
        ("\u00a0" + "X" * 32 + " ", "X" * 32),
    ],
)
def test_a_code_is_stored_composed_and_without_blanks_around(
    ask: Ask, given: str, stored: str
) -> None:
    assert made(ask, given)["code"] == stored
    assert Coupon.get().code == stored


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "is required"),
        (" \t", "is required"),
        ("X" * 33, "must have 32 characters at most"),
        ("e\u0301" * 33, "must have 32 characters at most"),
        (" " * 5000 + "X" * 5000, "must have 32 characters at most"),
        ("\ufdfa" * 32, "has too many characters that stand for several"),
    ],
)
def test_other_codes_are_refused(ask: Ask, code: str, reason: str) -> None:
    assert made(ask, code)["error"] == [f"Wrong parameter: code ({reason})"]


def test_a_code_of_old_that_could_not_be_made_today_is_updated(ask: Ask) -> None:
    old = Coupon.create(code=" OLD ", terms=Terms.of())
    done = ask("updatePromoCode", id=str(old.id), code=" OLD ", **WANTED)
    assert "error" not in done
    assert Coupon.get().code == " OLD "


def test_a_prefix_is_trimmed(ask: Ask) -> None:
    assert "error" not in ask("addPromoBatch", name="B", size="1", prefix=" SP- ", **WANTED)
    assert Coupon.get().code.startswith("SP-")


def test_a_readable_batch_has_no_characters_that_look_alike(ask: Ask) -> None:
    made = ask("addPromoBatch", name="R", size="200", prefix="OIL-", readable="1", **WANTED)
    assert made["coupons_count"] == 200
    drawn = {letter for coupon in Coupon.select() for letter in coupon.code[4:]}
    assert drawn == set("ABCDEFGHJKMNPQRSTUVWXYZ23456789")
    more = ask("generatePromoCodes", id=made["batch_id"], size="100")
    assert more["coupons_count"] == 300
    assert not {letter for coupon in Coupon.select() for letter in coupon.code[4:]} & set("O0I1L")
    [batch] = ask("listPromoBatches")["batches"]
    assert batch["complexity"] == "0"


@pytest.mark.parametrize("complexity", ["1", "2", "5"])
def test_a_readable_batch_is_of_no_other_complexity(ask: Ask, complexity: str) -> None:
    given = {"name": "R", "size": "2", "readable": "1", **WANTED}
    assert ask("addPromoBatch", complexity=complexity, **given)["error"] == [
        "Wrong parameter: complexity (cannot be given with readable)"
    ]
    assert "error" not in ask("addPromoBatch", complexity="", **given)
    assert "error" not in ask("addPromoBatch", **(given | {"readable": "0", "complexity": "5"}))


def test_fewer_characters_make_fewer_readable_codes(ask: Ask) -> None:
    given = {"name": "R", "size": "900", "length": "6"}
    assert "error" not in ask("addPromoBatch", **given, **WANTED)
    assert ask("addPromoBatch", readable="1", **given, **WANTED)["error"] == [
        "Wrong parameter: length (leaves too little room for so many codes of this complexity)"
    ]
