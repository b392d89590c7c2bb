"""Stores for the measurements: the real schema, filled with raw inserts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from app import config, db
from models.access import accesses
from models.access.accesses import Pair
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import counters, schema
from models.store.base import database

PAIR = Pair("11aa22bb33cc44dd55ee", "ee55dd44cc33bb22aa11")
MADE_AT = 1_700_000_000
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
    total = batch_count * coupons_each
    with opened(path):
        accesses.add("bench", PAIR)
        with database.atomic():
            terms = [_terms(number).id for number in range(min(batch_count, TERMS_MOST))]
            counters.add(counters.BATCHES, batch_count)
            counters.add(counters.COUPONS, total)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode=OFF")
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("PRAGMA cache_size=-1000000")
        batch_rows = (
            (number + 1, f"Batch {number}", "XO", terms[number % len(terms)], *3 * [coupons_each])
            for number in range(batch_count)
        )
        names = ("id", "name", "prefix", "terms_id", "requested", "made", "coupons_count")
        _insert(raw, Batch, names, batch_rows, created_at=MADE_AT, updated_at=MADE_AT)
        coupon_rows = (
            (
                number // coupons_each + 1,
                code_of(number),
                terms[number // coupons_each % len(terms)],
            )
            for number in range(total)
        )
        _insert(raw, Coupon, ("batch_id", "code", "terms_id"), coupon_rows)
        raw.execute("PRAGMA journal_mode=WAL")


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


def _insert(
    raw: sqlite3.Connection,
    table: type[Any],
    names: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
    **same: Any,
) -> None:
    """Insert tuples of the named columns; the other columns have one value in all rows."""
    name = table._meta.table_name
    for field in table._meta.sorted_fields:
        column = field.column_name
        if column not in names and column != "id" and column not in same:
            same[column] = field.db_value(field.default)
    values = [*("?" for _ in names), *(_quoted(raw, value) for value in same.values())]
    indexes = raw.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql > ''",
        (name,),
    ).fetchall()
    raw.execute("BEGIN")
    for index, _ in indexes:  # made again below: sorting once is faster than ten million inserts
        raw.execute(f'DROP INDEX "{index}"')
    columns = ", ".join([*names, *same])
    raw.executemany(
        f'INSERT INTO "{name}" ({columns}) VALUES ({", ".join(values)})',  # noqa: S608 - our names
        rows,
    )
    for _, sql in indexes:
        raw.execute(sql)
    raw.execute("COMMIT")


def _quoted(raw: sqlite3.Connection, value: Any) -> str:
    return str(raw.execute("SELECT quote(?)", (value,)).fetchone()[0])
