"""Prepared queries: the same rows one by one, in one piece, and as texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models import coupons
from models.base import database
from models.coupons import Coupon
from models.engines import Postgresql
from models.prepared import Prepared, slot, text_of
from models.terms import Terms

CODES = ["A", "null", 'q"u,o"t\\e', "[1,2]", "é\u2028€𝄞", "\x00\x1f\x7f/", "", "1,2"]
COLUMNS = (Coupon.id, Coupon.code, Coupon.live, Coupon.active, Coupon.stopped, Coupon.terms_id)

pytestmark = pytest.mark.usefixtures("store")
every = Prepared(
    lambda: Coupon.select(*COLUMNS).where(Coupon.id >= slot("first")).order_by(Coupon.id)
)


@pytest.fixture
def rows() -> list[tuple[Any, ...]]:
    for number, code in enumerate(CODES):
        coupons.add(code, Terms.of(max_usage=number), live=number % 3 > 0, active=number % 2 > 0)
    found = every.rows(first=0)
    replaced = "\ufffd" if isinstance(database.obj, Postgresql) else "\0"
    assert [row[1] for row in found] == [code.replace("\0", replaced) for code in CODES]
    return found


def test_rows_are_the_same_in_one_piece(rows: list[tuple[Any, ...]]) -> None:
    assert every.found(first=0).rows() == rows
    assert every.found(first=rows[-1][0]).rows() == rows[-1:]


def test_columns_of_texts_are_the_same_rows(rows: list[tuple[Any, ...]]) -> None:
    columns = every.found(first=0).columns()
    assert columns == [[text_of(value) for value in column] for column in zip(*rows, strict=True)]
    assert set(columns[2]) == {"", "1"}
    assert set(columns[3]) == {"0", "1"}
    assert set(columns[4]) == {""}


def test_backwards_is_the_other_way_round(rows: list[tuple[Any, ...]]) -> None:
    found = every.found(first=0)
    turned = replace(found, backwards=True)
    assert turned != found == every.found(first=0)
    assert turned.rows() == rows[::-1]
    assert turned.columns() == [column[::-1] for column in found.columns()]


def test_no_rows_are_nothing() -> None:
    assert every.found(first=0).rows() == []
    assert every.found(first=0).columns() == []
