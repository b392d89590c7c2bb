"""The usage log of coupons: every filter, every page, both ends."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from models.redemptions import redemption_log
from models.redemptions.redemption import Redemption

pytestmark = pytest.mark.usefixtures("store")
MATCH = {
    "code": lambda row, value: row.code == value,
    "batch_id": lambda row, value: row.batch_id == value,
    "client_id": lambda row, value: row.client_id == value,
    "invoice_id": lambda row, value: row.invoice_id == value,
    "since": lambda row, value: row.redeemed_at >= value,
    "before": lambda row, value: row.redeemed_at < value,
}


@pytest.fixture
def rows() -> list[Redemption]:
    """Return 60 redemptions, newest first, no two columns of them in step."""
    for number in range(60):
        Redemption.create(
            coupon_id=number,
            batch_id=number % 2,
            code=f"C{number % 3}",
            client_id=number % 5,
            invoice_id=number % 7,
            redeemed_at=1000 + number * 37 % 60,
        )
    return list(Redemption.select().order_by(Redemption.id.desc()))


def test_filters_go_together(rows: list[Redemption]) -> None:
    values: dict[str, Any] = {
        "code": "C1",
        "batch_id": 1,
        "client_id": 2,
        "invoice_id": 3,
        "since": 1010,
        "before": 1050,
    }
    for size in range(len(values) + 1):
        for names in combinations(values, size):
            wanted = {name: values[name] for name in names}
            expected = [
                row.id for row in rows if all(MATCH[name](row, wanted[name]) for name in names)
            ]
            total = redemption_log.total(**wanted)
            assert total == len(expected)
            found = redemption_log.newest(0, 100, total, **wanted)
            assert [row.id for row in found] == expected


def test_pages_follow_each_other_to_the_end(rows: list[Redemption]) -> None:
    total = redemption_log.total(batch_id=1)
    pages = [redemption_log.newest(page, 7, total, batch_id=1) for page in range(6)]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 2, 0]
    found = [row.id for page in pages for row in page]
    assert found == [row.id for row in rows if row.batch_id == 1]


def test_a_row_comes_whole(rows: list[Redemption]) -> None:
    found = redemption_log.newest(0, 1, 60)
    assert [row.__data__ for row in found] == [rows[0].__data__]
