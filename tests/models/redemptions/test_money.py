"""Discounts: exact, half-up, never below nothing and never more than there is."""

from __future__ import annotations

import ast
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.redemptions import money
from models.redemptions.money import Discount

places = st.integers(0, 4)
kinds = st.sampled_from(["percent", "fixed"])
applied = st.sampled_from(["price", "setupfee", "both", "something imported"])
values = st.decimals(-1000, 10**12, allow_nan=False, places=3)


@st.composite
def amounts(draw: st.DrawFn, decimals: int | None = None) -> Decimal:
    """Draw an amount of a currency; without a number of decimals, of any."""
    step = draw(places) if decimals is None else decimals
    return Decimal(draw(st.integers(0, 10 ** (12 + step) - 1))).scaleb(-step)


def half_up(exact: Fraction, decimals: int) -> Fraction:
    """Round a fraction of zero or more without any Decimal."""
    return Fraction((exact * 10**decimals + Fraction(1, 2)).__floor__(), 10**decimals)


@given(kinds, values, applied, amounts(), amounts(), places)
def test_a_discount_is_from_nothing_to_all_there_is(
    kind: str, value: Decimal, applyto: str, amount: Decimal, setup: Decimal, decimals: int
) -> None:
    off = money.discount(kind, value, applyto, amount, setup, decimals)
    assert 0 <= off.price <= amount
    assert 0 <= off.setup <= setup
    assert off.total == off.price + off.setup
    if applyto == "price":
        assert off.setup == 0
    if applyto == "setupfee":
        assert off.price == 0
    for part in (off.price, off.setup):
        assert isinstance(part, Decimal)
        assert part == part.quantize(Decimal(1).scaleb(-decimals))


@given(st.data(), st.decimals(0, 100, places=3), applied, places)
def test_a_percentage_is_taken_of_each_part_and_rounded_half_up_once(
    data: st.DataObject, percent: Decimal, applyto: str, decimals: int
) -> None:
    amount, setup = data.draw(amounts(decimals)), data.draw(amounts(decimals))
    off = money.discount("percent", percent, applyto, amount, setup, decimals)
    for part, base, left_out in (
        (off.price, amount, applyto == "setupfee"),
        (off.setup, setup, applyto == "price"),
    ):
        exact = Fraction(0) if left_out else Fraction(base) * Fraction(percent) / 100
        assert Fraction(part) == half_up(exact, decimals)


@given(st.data(), st.decimals(0, 10**9, places=3), places)
def test_a_fixed_value_goes_to_the_price_first_and_none_of_it_is_lost(
    data: st.DataObject, value: Decimal, decimals: int
) -> None:
    amount, setup = data.draw(amounts(decimals)), data.draw(amounts(decimals))
    whole = half_up(Fraction(value), decimals)
    off = money.discount("fixed", value, "both", amount, setup, decimals)
    assert Fraction(off.total) == min(whole, Fraction(amount) + Fraction(setup))
    assert Fraction(off.price) == min(whole, Fraction(amount))
    price_only = money.discount("fixed", value, "price", amount, setup, decimals)
    assert price_only == Discount(off.price, Decimal(0))
    setup_only = money.discount("fixed", value, "setupfee", amount, setup, decimals)
    assert Fraction(setup_only.setup) == min(whole, Fraction(setup))


@given(amounts(), st.integers(0, 6))
def test_rounding_is_half_up_at_the_place(amount: Decimal, decimals: int) -> None:
    rounded = money.rounded(amount, decimals)
    assert Fraction(rounded) == half_up(Fraction(amount), decimals)
    assert rounded == amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("kind", "value", "applyto", "amount", "setup", "decimals", "price_off", "setup_off"),
    [
        ("percent", "10", "price", "33.35", "9", 2, "3.34", "0"),
        ("percent", "10", "price", "33.34", "9", 2, "3.33", "0"),
        ("percent", "33.333", "both", "0.03", "0.01", 2, "0.01", "0"),
        ("percent", "50", "both", "0.01", "0.01", 2, "0.01", "0.01"),
        ("percent", "100", "setupfee", "10", "5.55", 2, "0", "5.55"),
        ("percent", "150", "price", "10", "0", 2, "10", "0"),
        ("percent", "12.5", "price", "99", "0", 0, "12", "0"),
        ("percent", "12.5", "price", "100", "0", 0, "13", "0"),
        ("fixed", "5", "both", "3", "4", 2, "3", "2"),
        ("fixed", "10.005", "both", "10", "1", 2, "10", "0.01"),
        ("fixed", "10.005", "both", "20", "1", 2, "10.01", "0"),
        ("fixed", "50", "both", "3", "4", 2, "3", "4"),
        ("fixed", "0.5", "price", "10", "0", 0, "1", "0"),
        ("fixed", "-5", "both", "10", "10", 2, "0", "0"),
        ("percent", "-5", "both", "10", "10", 2, "0", "0"),
        ("percent", "100", "price", "10.019", "0", 2, "10.01", "0"),
    ],
)
def test_discounts_that_were_worked_out_by_hand(
    kind: str,
    value: str,
    applyto: str,
    amount: str,
    setup: str,
    decimals: int,
    price_off: str,
    setup_off: str,
) -> None:
    off = money.discount(kind, Decimal(value), applyto, Decimal(amount), Decimal(setup), decimals)
    assert off == Discount(Decimal(price_off), Decimal(setup_off))


def test_no_digit_of_a_large_amount_is_lost() -> None:
    amount = Decimal("1234567890123456789012345678901234567890.05")
    off = money.discount("percent", Decimal("12.345"), "price", amount, Decimal(0), 2)
    assert Fraction(off.price) == half_up(Fraction(amount) * 12345 / 100_000, 2)


def test_no_float_is_named_where_amounts_are_worked_out() -> None:
    root = Path(__file__).parents[3] / "models"
    files = [root / "promotions" / "terms.py", *(root / "redemptions").glob("*.py")]
    assert len(files) > 5
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Name) and node.id == "float"), path
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), path
