"""List coupons: pages of all or of one batch, whole batches, and slices of long ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from models.promotions.coupons import ALONE, LEGACY, Coupon, selected
from models.store import counters
from models.store.prepared import PagedQuery, Prepared, QueryResult, among, among_slots, slot


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


@cache
def _listing(columns: tuple[str, ...], include_batches: bool) -> PagedQuery:
    which = LEGACY if include_batches else (Coupon.batch_id == ALONE)
    return PagedQuery(lambda: selected(columns).where(which), Coupon.id)


@cache
def _in_batch(columns: tuple[str, ...]) -> PagedQuery:
    which = Coupon.batch_id == slot("batch_id")
    return PagedQuery(lambda: selected(columns).where(which), Coupon.id, oldest_first=True)


@cache
def _slice(columns: tuple[str, ...], size: int) -> Prepared:
    return Prepared(
        lambda: (
            selected(("id", *columns))
            .where(Coupon.batch_id == slot("batch_id"), Coupon.id > slot("after"))
            .order_by(Coupon.id)
            .limit(size)
        )
    )


@cache
def _of_batches(columns: tuple[str, ...], count: int) -> Prepared:
    return Prepared(
        lambda: (
            selected(columns)
            .where(among(Coupon.batch_id, count))
            .order_by(Coupon.batch_id, Coupon.id)
        )
    )
