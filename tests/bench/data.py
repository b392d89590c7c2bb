"""Stores for the measurements: the real schema, filled with raw inserts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from app import config, db
from models.access import accesses
from models.access.accesses import Pair
from models.promotions import batches
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import counters, schema
from models.store.base import database

PAIR = Pair("11aa22bb33cc44dd55ee", "ee55dd44cc33bb22aa11")
TERMS_MOST = 1000
"""Every batch of a page has terms of its own; 200,000 batches share so many."""


def code_of(number: int) -> str:
    """Return the code with a number, as load.lua does: neighbours are far apart in the index."""
    return f"XO{number * 668_265_263 % 2**32:08X}"


@contextmanager
def opened(path: Path) -> Iterator[None]:
    """Bind the models of this process to a store, made with the current schema."""
    bound = db.bind(config.Settings(database_url=f"sqlite:///{path}"))
    try:
        with bound.connection_context():
            schema.require_current()
            yield
    finally:
        bound.close_all()


def make(path: Path, batch_count: int, coupons_each: int) -> None:
    """Make a store of equal batches that PAIR opens; the codes are code_of(0), code_of(1), …"""
    with opened(path):
        accesses.add("bench", PAIR)
        with database.atomic():
            terms = [_terms(number) for number in range(min(batch_count, TERMS_MOST))]
            counts = dict.fromkeys(("requested", "made", "coupons_count"), coupons_each)
            for number in range(batch_count):
                of_batch = terms[number % len(terms)]
                batches.add(f"Batch {number}", of_batch, prefix="XO", **counts)
            counters.add(counters.COUPONS, batch_count * coupons_each)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode=OFF")
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("PRAGMA cache_size=-1000000")
        _insert_coupons(raw, [each.id for each in terms], batch_count, coupons_each)
        raw.execute("PRAGMA journal_mode=WAL")


BOUGHT = {"categories[]": "43", "cycle": "Monthly"}
"""What every code of the store is for, as an argument; PHP's page does not look at it."""


def _terms(number: int) -> Terms:
    categories = {str(each): str(each) for each in range(40 + number % 7, 44)}
    return Terms.of(
        coupon_type="invoice_cart",
        value=Decimal(number % 80 + 5) / 4,
        cycles={"Monthly": "Monthly", "Annually": "Annually"},
        categories=categories,
        max_client_usage=5,
        notes=f"Campaign {number}: mailed to partners",
    )


def _insert_coupons(
    raw: sqlite3.Connection, terms_ids: list[int], batch_count: int, coupons_each: int
) -> None:
    """Insert the coupons of all batches, with the terms of their batch and defaults otherwise."""
    rows = (
        (batch + 1, code_of(batch * coupons_each + number), terms_ids[batch % len(terms_ids)])
        for batch in range(batch_count)
        for number in range(coupons_each)
    )
    own = ("batch_id", "code", "terms_id")
    same = {
        field.column_name: field.db_value(field.default)
        for field in Coupon._meta.sorted_fields
        if field.column_name not in (*own, "id")
    }
    values = [*("?" for _ in own), *(_quoted(raw, value) for value in same.values())]
    indexes = raw.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql > ''",
        ("coupon",),
    ).fetchall()
    raw.execute("BEGIN")
    for index, _ in indexes:  # made again below: sorting once is faster than ten million inserts
        raw.execute(f'DROP INDEX "{index}"')
    raw.executemany(
        f"INSERT INTO coupon ({', '.join([*own, *same])}) VALUES ({', '.join(values)})",  # noqa: S608 - our names
        rows,
    )
    for _, sql in indexes:
        raw.execute(sql)
    raw.execute("COMMIT")


def _quoted(raw: sqlite3.Connection, value: Any) -> str:
    return str(raw.execute("SELECT quote(?)", (value,)).fetchone()[0])
