"""Coupons as bare rows, compared and written in bulk by an import."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from models.imports.records import CouponRecord
from models.promotions.coupons import ALONE, Coupon
from models.store import visibility
from models.store.base import database, locked
from models.store.prepared import Prepared, numbered_slots, slot, slots

ROWS = 100
"""Coupons in one statement that writes."""


class State(NamedTuple):
    """Hold the columns of a coupon, in the order of COLUMNS."""

    id: int
    batch_id: int
    code: str
    live: int | None
    active: bool
    num_usage: int
    imported_usage: int
    stopped: bool | None
    shelved: bool | None
    terms_id: int


COLUMNS: list[Any] = [getattr(Coupon, name) for name in State._fields]


class Limits(NamedTuple):
    """Hold what of a coupon's terms can end it."""

    terms_id: int
    max_usage: int
    expires: date | None

    def used_up(self, uses: int) -> bool:
        """Tell whether a coupon with so many uses has none left."""
        return 0 < self.max_usage <= uses

    def expired(self, today: date) -> bool:
        """Tell whether the last valid day is over."""
        return self.expires is not None and self.expires < today


def new(record: CouponRecord, live: bool, limits: Limits) -> State:
    """Return the columns of a coupon that the store does not have."""
    return State(
        id=record.id,
        batch_id=record.batch_id or ALONE,
        code=record.code,
        live=visibility.LIVE if live else None,
        active=True if record.active is None else record.active,
        num_usage=max(0, record.num_usage),
        imported_usage=record.num_usage,
        stopped=None,
        shelved=None,
        terms_id=limits.terms_id,
    )


def changed(old: State, record: CouponRecord, live: bool, limits: Limits, today: date) -> State:
    """Return the columns of a coupon as a record changes them."""
    # What is beyond the number that came before was counted here.
    used = max(0, record.num_usage + old.num_usage - old.imported_usage)
    active = old.active if record.active is None else record.active
    # What ended it here, or who stopped it, the other installation cannot know.
    if used > record.num_usage and limits.used_up(used):
        active = False
    elif old.stopped or limits.expired(today):
        active = active and old.active
    return old._replace(
        batch_id=old.batch_id if record.batch_id is None else record.batch_id,
        live=visibility.LIVE if live else None,
        active=active,
        num_usage=used,
        imported_usage=record.num_usage,
        terms_id=limits.terms_id,
    )


def stored(ids: Sequence[int]) -> dict[int, State]:
    """Return the states of the coupons with these ids, those that there are, and hold them."""
    return {row[0]: _typed(State(*row)) for row in _of_ids(len(ids)).rows(**numbered_slots(ids))}


def holders(codes: Sequence[str]) -> dict[str, int]:
    """Return the ids of the live coupons with these codes, by code."""
    return dict(_of_codes(len(codes)).rows(**numbered_slots(codes)))


def add(states: Sequence[State]) -> None:
    """Add coupons whose ids the store does not have."""
    if states:
        database.reserve_ids("coupon", max(state.id for state in states))
    for start in range(0, len(states), ROWS):
        some = states[start : start + ROWS]
        _insert(len(some)).changed(**numbered_slots([value for row in some for value in row]))


def change(states: Sequence[State]) -> None:
    """Change the coupons with these ids."""
    for state in states:
        _update.changed(**state._asdict())


def _typed(row: State) -> State:
    """Return a row as the driver gives it with booleans for its 0 and 1."""
    return row._replace(
        live=row.live or None,
        active=bool(row.active),
        stopped=bool(row.stopped) or None,
        shelved=bool(row.shelved) or None,
    )


@cache
def _of_ids(count: int) -> Prepared:
    return Prepared(lambda: locked(Coupon.select(*COLUMNS).where(Coupon.id.in_(slots(count)))))


@cache
def _of_codes(count: int) -> Prepared:
    return Prepared(
        lambda: Coupon.select(Coupon.code, Coupon.id).where(
            Coupon.code.in_(slots(count)), Coupon.live == visibility.LIVE
        )
    )


@cache
def _insert(count: int) -> Prepared:
    width = len(COLUMNS)
    values = slots(count * width)
    rows = [values[at : at + width] for at in range(0, len(values), width)]
    return Prepared(lambda: Coupon.insert_many(rows, fields=COLUMNS))


_update = Prepared(
    lambda: Coupon.update({name: slot(name) for name in State._fields[1:]}).where(
        Coupon.id == slot("id")
    )
)
