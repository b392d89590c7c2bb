"""Copies: which tables they hold, and the digest of one."""

from __future__ import annotations

from app import config
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import schema
from models.store.base import database
from models.transfer import copying


def test_every_table_of_the_database_is_copied(store: config.Settings) -> None:
    names = {table._meta.table_name for table in copying.tables()}
    assert names == set(database.get_tables()) - {schema.HISTORY, "sqlite_sequence"}
    assert [table is Terms for table in copying.tables()].index(True) < copying.tables().index(
        Coupon
    )


def test_a_digest_is_the_same_whatever_slices_the_rows_came_in() -> None:
    rows = [(1, "a", None), (2, '"],[', b"\x00\xff"), (3, "\U0001f381", 2**63 - 1)]
    one, two = copying.Sum(), copying.Sum()
    one.add(rows)
    for row in rows:
        two.add([row])
    assert one.content() == two.content()
    assert one.content().rows == 3
    other = copying.Sum()
    other.add([(1, "a", None), (2, '"],[', b"\x00\xff"), (3, "\U0001f381", 2**63 - 2)])
    assert other.content() != one.content()
