"""Prepared queries: the same rows one by one, in one piece, and as texts."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from models.promotions import batch_life, batches, coupon_lists, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store.base import database
from models.store.prepared import Prepared, QueryResult, among_slots, slot, text_of
from models.store.servers import Postgresql

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
    assert every.result(first=0).rows() == rows
    assert every.result(first=rows[-1][0]).rows() == rows[-1:]


def test_columns_of_texts_are_the_same_rows(rows: list[tuple[Any, ...]]) -> None:
    columns = every.result(first=0).columns()
    assert columns == [[text_of(value) for value in column] for column in zip(*rows, strict=True)]
    assert set(columns[2]) == {"", "1"}
    assert set(columns[3]) == {"0", "1"}
    assert set(columns[4]) == {""}


def test_backwards_is_the_other_way_round(rows: list[tuple[Any, ...]]) -> None:
    found = every.result(first=0)
    turned = replace(found, backwards=True)
    assert turned != found == every.result(first=0)
    assert turned.rows() == rows[::-1]
    assert turned.columns() == [column[::-1] for column in found.columns()]


TEXTS = (None, "", ",", "null", "a", "a,b", '"', "\\", '","', "[", "]")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_texts_of_a_column_are_told_apart_whatever_is_in_them(count: int) -> None:
    with closing(sqlite3.connect(":memory:")) as engine:
        for values in product(TEXTS, repeat=count):
            sql = "SELECT json_group_array(value) FROM json_each(?)"
            found = QueryResult(engine.execute(sql, [json.dumps(values)]).fetchone())
            assert found.columns() == [[value or "" for value in values]]


def test_no_rows_are_nothing() -> None:
    assert every.result(first=0).rows() == []
    assert every.result(first=0).columns() == []


@pytest.mark.parametrize(
    ("named", "statement"), [([2, 1, 0], 0), ([3, 1, 0], 3), ([2], 0), ([3, 0], 2)]
)
def test_of_a_list_of_ids_or_a_range_only_what_is_named_is_found(
    named: list[int], statement: int
) -> None:
    made = [batch_life.make(f"Batch {number}", Terms.of(), 2).id for number in range(4)]
    assert made == [*range(made[0], made[0] + 4)]
    ids = [made[at] for at in named]
    assert among_slots(ids)[0] == statement
    assert batches.by_ids(["id"], ids)[0] == [str(each) for each in ids]
    held = coupon_lists.of_batches(["batch_id"], ids)[0]
    assert held == [str(each) for each in sorted(ids) for _ in range(2)]
