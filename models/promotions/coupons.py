"""Coupons: single codes, alone or in a batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from peewee import (
    BooleanField,
    CharField,
    ForeignKeyField,
    IntegerField,
    IntegrityError,
    SmallIntegerField,
)

from models.promotions.terms import Terms
from models.store import counters, visibility
from models.store.base import Row, change, database, retried
from models.store.errors import Conflict, NotFound
from models.store.paging import window
from models.store.prepared import Found, Prepared, among, among_slots, slot

CODE_LENGTH = 32
ID = re.compile(r"[1-9][0-9]{0,9}")
NO_SUCH_CODE = "The promotion code does not exist"
CODE_EXISTS = "The promotion code already exists"
# guess: a coupon that belongs to no batch shows `batch_id` as "0".
ALONE = 0
"""The batch_id of a coupon that belongs to no batch."""


class Coupon(Row):
    """Keep one code. `num_usage` counts its uses, `imported_usage` those that an import brought.

    `live` is the environment that the code is live in, or NULL (archived): the unique index on
    (code, live) then keeps the live codes of an environment apart and lets archived ones repeat,
    on SQLite, PostgreSQL and MariaDB alike. `realm` says who sees the code at all.
    `stopped` and `shelved` are true or NULL: true while an operator has made this one code
    inactive, or archived it apart from its batch, so that only a word for it brings it back.
    """

    batch_id = IntegerField(default=ALONE)
    code = CharField(max_length=CODE_LENGTH)
    live = SmallIntegerField(null=True, default=visibility.LIVE)
    realm = SmallIntegerField(default=visibility.LEGACY)
    active = BooleanField(default=True)
    num_usage = IntegerField(default=0)
    imported_usage = IntegerField(default=0)
    stopped = BooleanField(null=True)
    shelved = BooleanField(null=True)
    terms = ForeignKeyField(Terms, on_delete="RESTRICT", index=False)
    terms_id: Any

    class Meta:
        indexes = (
            (("code", "live"), True),
            (("batch_id", "id"), False),
            (("realm", "id"), False),
        )


LEGACY = Coupon.realm == visibility.LEGACY
"""What the legacy dialect sees, as a list."""
SEEN = (Coupon.realm + 0) == visibility.LEGACY
"""The same for a question about one code: not to be answered through the index of the realm, which
SQLite, knowing no better, takes for as narrow as that of the codes."""


# guess: codes are compared letter for letter, capitals and small ones apart.
def by_code(code: str) -> Coupon:
    """Return the live coupon with this code, else the newest archived one. Raises NotFound."""
    row = _with_code(code)
    if row is None:
        raise NotFound(NO_SUCH_CODE, "code_not_found")
    return Coupon.of_row(row)


def by_id(coupon_id: int) -> Coupon:
    """Return a coupon that the legacy dialect sees. Raises NotFound."""
    return _known(_seen, coupon_id)


def current(coupon: Coupon) -> Coupon:
    """Return a coupon of any realm as it is by now. Raises NotFound when it was deleted."""
    return _known(_with_id, coupon.id)


def held(coupon_id: int) -> Coupon:
    """Return a coupon of any realm, for this transaction alone to change. Raises NotFound."""
    return _known(_held, coupon_id)


def named(name: str) -> Coupon:
    """Return the live coupon with this code, else the one with this id, else as `by_code` does.

    Raises NotFound.
    """
    row = _with_code(name)
    found = Coupon.of_row(row) if row else None
    if (found is None or not found.live) and ID.fullmatch(name):
        row = _seen.first(id=int(name))
        found = Coupon.of_row(row) if row else found
    if found is None:
        raise NotFound(NO_SUCH_CODE, "code_not_found")
    return found


def row_by_code(columns: Sequence[str], code: str) -> tuple[Any, ...]:
    """Return the same coupon as a tuple of columns, then the id of its terms. Raises NotFound."""
    row = _by_code(tuple(columns))(code)
    if row is None:
        raise NotFound(NO_SUCH_CODE, "code_not_found")
    return row


@retried
def add(code: str, terms: Terms, live: bool = True, active: bool = True) -> Coupon:
    """Make a coupon that stands alone. Raises Conflict when a live coupon has the code."""
    where = visibility.LIVE if live else None
    try:
        with change():
            coupon = Coupon.create(code=code, terms=terms, live=where, active=active)
            counters.add(counters.COUPONS, 1)
            counters.add(counters.SINGLE_COUPONS, 1)
    except IntegrityError as problem:
        raise Conflict(CODE_EXISTS, "code_exists") from problem
    return coupon


def total(include_batches: bool) -> int:
    """Return how many coupons there are, those of batches only if they are asked for."""
    return counters.count(counters.COUPONS if include_batches else counters.SINGLE_COUPONS)


def newest(
    columns: Sequence[str], total: int, page: int, per_page: int, include_batches: bool
) -> Found:
    """Return a page of the `total` coupons: these columns, then the id of their terms.

    Newest first, pages counted from 0.
    """
    down, up = (_ordered(tuple(columns), newest, include_batches) for newest in (True, False))
    return window(down.found, up.found, total, page, per_page)


def of_batches(columns: Sequence[str], ids: Sequence[int]) -> list[list[str]]:
    """Return the coupons of these batches, those of one together in the order they were made.

    They come column by column as texts, the id of the terms last; nothing without a coupon.
    """
    count, values = among_slots(ids)
    return _of_batches(tuple(columns), count).found(**values).columns()


def slices_of_batch(
    columns: Sequence[str], batch_id: int, size: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the coupons of a batch in slices, so that a million need little memory.

    They are tuples of the columns, then the id of the terms, in the order they were made.
    """
    query = _slice(("id", *columns))
    last = 0
    while rows := query.found(batch_id=batch_id, last=last, limit=size).rows():
        last = rows[-1][0]
        yield [row[1:] for row in rows]


def of_batch(
    columns: Sequence[str], batch_id: int, total: int, page: int, per_page: int
) -> list[tuple[Any, ...]]:
    """Return a page of the `total` coupons of a batch, in the order they were made."""
    up, down = (_in_batch(tuple(columns), newest) for newest in (False, True))
    return window(up.found, down.found, total, page, per_page, batch_id=batch_id).rows()


def _known(question: Prepared, coupon_id: int) -> Coupon:
    row = question.first(id=coupon_id)
    if row is None:
        raise NotFound(f"There is no coupon {coupon_id}", "coupon_not_found")
    return Coupon.of_row(row)


def _of_id(*seen: Any, held: bool = False) -> Prepared:
    def build() -> Any:
        query = Coupon.select().where(Coupon.id == slot("id"), *seen)
        # SQLite has no row locks: its transactions hold the whole store.
        return query.for_update() if held and database.for_update else query

    return Prepared(build)


_with_id, _seen, _held = _of_id(), _of_id(SEEN), _of_id(held=True)


def _select(columns: tuple[str, ...]) -> Any:
    return Coupon.select(*(getattr(Coupon, name) for name in columns), Coupon.terms_id)


@cache
def _by_code(columns: tuple[str, ...]) -> Callable[[str], tuple[Any, ...] | None]:
    return _live_first(lambda: _select(columns))


@cache
def _ordered(columns: tuple[str, ...], newest: bool, include_batches: bool) -> Prepared:
    order = Coupon.id.desc() if newest else Coupon.id.asc()
    which = LEGACY if include_batches else (Coupon.batch_id == ALONE)
    return Prepared(
        lambda: (
            _select(columns)
            .where(which)
            .order_by(order)
            .limit(slot("limit"))
            .offset(slot("offset"))
        )
    )


@cache
def _of_batches(columns: tuple[str, ...], count: int) -> Prepared:
    return Prepared(
        lambda: (
            _select(columns)
            .where(among(Coupon.batch_id, count))
            .order_by(Coupon.batch_id, Coupon.id)
        )
    )


@cache
def _slice(columns: tuple[str, ...]) -> Prepared:
    return Prepared(
        lambda: (
            _select(columns)
            .where(Coupon.batch_id == slot("batch_id"), Coupon.id > slot("last"))
            .order_by(Coupon.id)
            .limit(slot("limit"))
        )
    )


@cache
def _in_batch(columns: tuple[str, ...], newest: bool) -> Prepared:
    return Prepared(
        lambda: (
            _select(columns)
            .where(Coupon.batch_id == slot("batch_id"))
            .order_by(Coupon.id.desc() if newest else Coupon.id.asc())
            .limit(slot("limit"))
            .offset(slot("offset"))
        )
    )


def _live_first(select: Callable[[], Any]) -> Callable[[str], tuple[Any, ...] | None]:
    """Return what looks for the live coupon with a code, else for the newest archived one.

    Nearly all that are asked for are live, and that one is found without sorting, for which SQLite
    makes a temporary table. Where there is none, both are asked for: one may have come to life.
    """

    def with_code() -> Any:
        return select().where(Coupon.code == slot("code"), SEEN)

    order = Coupon.live.is_null(), Coupon.id.desc()
    live = Prepared(lambda: with_code().where(Coupon.live == visibility.LIVE))
    either = Prepared(lambda: with_code().order_by(*order).limit(1))
    return lambda code: live.first(code=code) or either.first(code=code)


_with_code = _live_first(Coupon.select)
