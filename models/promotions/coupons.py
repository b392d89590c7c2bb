"""Coupons: single codes, alone or in a batch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from peewee import (
    BooleanField,
    CharField,
    ForeignKeyField,
    IntegerField,
    IntegrityError,
    SmallIntegerField,
    chunked,
)

from models.promotions.terms import Terms
from models.store import counters, visibility
from models.store.base import Row, change, locked, retried
from models.store.errors import Conflict, NotFound
from models.store.prepared import (
    PagedQuery,
    Prepared,
    QueryResult,
    among,
    among_slots,
    numbered_slots,
    slot,
    slots,
)

CODE_LENGTH = 32
ROWS = 100
"""Coupons in one INSERT statement."""
ID = re.compile(r"[1-9][0-9]{0,9}")
NO_SUCH_CODE = "The promotion code does not exist"
CODE_EXISTS = "The promotion code already exists"
EXISTS, EXISTS_ELSEWHERE = "code_exists", "code_exists_elsewhere"
"""The keys of that refusal: the second where the legacy API does not see the code that is live."""
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
"""The condition of lists of the legacy API."""
SEEN = (Coupon.realm + 0) == visibility.LEGACY
"""The same for look-ups of one code, which must not use the index of the realm:
SQLite would take it to be as selective as that of the codes."""


# guess: codes are compared letter for letter, capitals and small ones apart.
def by_code(code: str) -> Coupon:
    """Return the live coupon with this code, else the newest archived one. Raises NotFound."""
    return Coupon.of_row(row_by_code((), code))


def by_id(coupon_id: int) -> Coupon:
    """Return a coupon that the legacy API sees. Raises NotFound."""
    return _found(_seen(coupon_id), coupon_id)


def current(coupon: Coupon) -> Coupon:
    """Return a coupon of any realm as it is by now. Raises NotFound when it was deleted."""
    return _found(_with_id(coupon.id), coupon.id)


def locked_by_id(coupon_id: int) -> Coupon:
    """Return a coupon of any realm, for this transaction alone to change. Raises NotFound."""
    return _found(locked(Coupon.select().where(Coupon.id == coupon_id)).first(), coupon_id)


def by_code_or_id(text: str) -> Coupon:
    """Return the live coupon with this code, else the one with this id, else as `by_code` does.

    Raises NotFound.
    """
    row = _by_code(()).first(code=text)
    coupon = Coupon.of_row(row) if row else None
    if (coupon is None or not coupon.live) and ID.fullmatch(text):
        coupon = _seen(int(text)) or coupon
    if coupon is None:
        raise NotFound(NO_SUCH_CODE, "code_not_found")
    return coupon


def row_by_code(columns: Sequence[str], code: str) -> tuple[Any, ...]:
    """Return the same coupon as a tuple of columns, then the id of its terms. Raises NotFound."""
    row = _by_code(tuple(columns)).first(code=code)
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
        raise taken(Coupon.code == code) from problem
    return coupon


def taken(codes: Any, sentence: str = CODE_EXISTS) -> Conflict:
    """Return the refusal to make codes live of which one is; `codes` is the condition on them."""
    elsewhere = Coupon.select().where(codes, Coupon.live == visibility.LIVE, ~SEEN).exists()
    return Conflict(sentence, EXISTS_ELSEWHERE if elsewhere else EXISTS)


def insert(
    columns: tuple[str, ...], rows: Sequence[Sequence[Any]], skip_live: bool = False, **shared: Any
) -> int:
    """Insert coupons and return how many; with `skip_live` without those whose code is live.

    Each row has a value for each of the columns, `shared` are those that all rows have, and the
    others get their defaults. Measured on SQLite, with statements that are compiled once: 7 times
    the coupons inserted a second.
    """
    names = tuple(shared)
    return sum(
        _insert(columns, names, len(some), skip_live).changed(
            **shared, **numbered_slots([*chain(*some)])
        )
        for some in chunked(rows, ROWS)
    )


def live_ids(codes: Sequence[str]) -> dict[str, int]:
    """Return the ids of the coupons with these codes that are LIVE, by code."""
    return dict(_live_with_codes(len(codes)).rows(**numbered_slots(codes))) if codes else {}


def total(include_batches: bool) -> int:
    """Return how many coupons there are, those of batches only if they are asked for."""
    return counters.count(counters.COUPONS if include_batches else counters.SINGLE_COUPONS)


def newest(
    columns: Sequence[str], total: int, page: int, per_page: int, include_batches: bool
) -> QueryResult:
    """Return a page of the `total` coupons: these columns, then the id of their terms.

    Newest first, pages counted from 0.
    """
    return _listing(tuple(columns), include_batches).page(total, page, per_page)


def of_batches(columns: Sequence[str], ids: Sequence[int]) -> list[list[str]]:
    """Return the coupons of these batches, those of one together in the order they were made.

    They come column by column as texts, the id of the terms last; nothing without a coupon.
    """
    count, values = among_slots(ids)
    return _of_batches(tuple(columns), count).result(**values).columns()


def slices_of_batch(
    columns: Sequence[str], batch_id: int, size: int, after: int = 0
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the coupons of a batch in slices, so that a million need little memory.

    They are tuples of the columns, then the id of the terms, in the order they were made; their
    ids are over `after`.
    """
    query = _slice(tuple(columns), size)
    while rows := query.result(batch_id=batch_id, after=after).rows():
        yield [row[1:] for row in rows]
        if len(rows) < size:
            return
        after = rows[-1][0]


def of_batch(
    columns: Sequence[str], batch_id: int, total: int, page: int, per_page: int
) -> list[tuple[Any, ...]]:
    """Return a page of the `total` coupons of a batch, in the order they were made."""
    return _in_batch(tuple(columns)).page(total, page, per_page, batch_id=batch_id).rows()


def _found(coupon: Coupon | None, coupon_id: int) -> Coupon:
    if coupon is None:
        raise NotFound(f"There is no coupon {coupon_id}", "coupon_not_found")
    return coupon


def _seen(coupon_id: int) -> Coupon | None:
    coupon = _with_id(coupon_id)
    return coupon if coupon and coupon.realm == visibility.LEGACY else None


def _with_id(coupon_id: int) -> Coupon | None:
    row = _by_id.first(id=coupon_id)
    return Coupon.of_row(row) if row else None


@cache
def _by_code(columns: tuple[str, ...]) -> Prepared:
    """Return the query of the live coupon with a code, else of the newest archived one."""
    return Prepared(
        lambda: (
            (_select(columns) if columns else Coupon.select())
            .where(Coupon.code == slot("code"), SEEN)
            # The order of the index of codes, backwards: nothing is sorted.
            .order_by(Coupon.live.desc(nulls="LAST"), Coupon.id.desc())
            .limit(1)
        )
    )


def _select(columns: Sequence[str]) -> Any:
    return Coupon.select(*(getattr(Coupon, name) for name in columns), Coupon.terms_id)


@cache
def _listing(columns: tuple[str, ...], include_batches: bool) -> PagedQuery:
    which = LEGACY if include_batches else (Coupon.batch_id == ALONE)
    return PagedQuery(lambda: _select(columns).where(which), Coupon.id)


@cache
def _in_batch(columns: tuple[str, ...]) -> PagedQuery:
    which = Coupon.batch_id == slot("batch_id")
    return PagedQuery(lambda: _select(columns).where(which), Coupon.id, oldest_first=True)


@cache
def _slice(columns: tuple[str, ...], size: int) -> Prepared:
    return Prepared(
        lambda: (
            _select(("id", *columns))
            .where(Coupon.batch_id == slot("batch_id"), Coupon.id > slot("after"))
            .order_by(Coupon.id)
            .limit(size)
        )
    )


@cache
def _live_with_codes(count: int) -> Prepared:
    return Prepared(
        lambda: Coupon.select(Coupon.code, Coupon.id).where(
            Coupon.code.in_(slots(count)), Coupon.live == visibility.LIVE
        )
    )


@cache
def _insert(
    columns: tuple[str, ...], shared: tuple[str, ...], count: int, skip_live: bool
) -> Prepared:
    fields = [Coupon._meta.fields[name] for name in (*columns, *shared)]
    same = [slot(name) for name in shared]
    rows = [[*row, *same] for row in chunked(slots(count * len(columns)), len(columns))]
    query = Coupon.insert_many(rows, fields=fields)
    return Prepared(query.on_conflict_ignore if skip_live else query.clone)


@cache
def _of_batches(columns: tuple[str, ...], count: int) -> Prepared:
    return Prepared(
        lambda: (
            _select(columns)
            .where(among(Coupon.batch_id, count))
            .order_by(Coupon.batch_id, Coupon.id)
        )
    )


_by_id = Prepared(lambda: Coupon.select().where(Coupon.id == slot("id")))
