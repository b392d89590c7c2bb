"""Coupons: single codes, alone or in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import BooleanField, CharField, ForeignKeyField, IntegerField, IntegrityError

from models import tallies
from models.base import Row, change
from models.errors import Conflict, NotFound
from models.paging import window
from models.terms import Terms

CODE_LENGTH = 32
ALONE = 0
"""The batch_id of a coupon that belongs to no batch."""


class Coupon(Row):
    """Keep one code. `num_usage` counts its uses, `imported_usage` those that an import brought.

    `live` is true or NULL (archived), never false: the unique index on (code, live) then keeps
    live codes apart and lets archived ones repeat, on SQLite, PostgreSQL and MariaDB alike.
    """

    batch_id = IntegerField(default=ALONE)
    code = CharField(max_length=CODE_LENGTH)
    live = BooleanField(null=True, default=True)
    active = BooleanField(default=True)
    num_usage = IntegerField(default=0)
    imported_usage = IntegerField(default=0)
    terms = ForeignKeyField(Terms, on_delete="RESTRICT", index=False)
    terms_id: Any

    class Meta:
        indexes = ((("code", "live"), True), (("batch_id", "id"), False))


def by_code(code: str) -> Coupon:
    """Return the live coupon with this code, else the newest archived one. Raises NotFound."""
    return _first(Coupon.select(), code)


def row_by_code(columns: Sequence[str], code: str) -> tuple[Any, ...]:
    """Return the same coupon as a tuple of columns, then the id of its terms. Raises NotFound."""
    return _first(_rows(columns), code)


def add(code: str, terms: Terms, live: bool = True) -> Coupon:
    """Make a coupon that stands alone. Raises Conflict when a live coupon has the code."""
    try:
        with change():
            coupon = Coupon.create(code=code, terms=terms, live=live or None)
            tallies.add(tallies.COUPONS, 1)
            tallies.add(tallies.SINGLE_COUPONS, 1)
    except IntegrityError as problem:
        raise Conflict("The promotion code already exists", "code_exists") from problem
    return coupon


def total(include_batches: bool) -> int:
    """Return how many coupons there are, those of batches only if they are asked for."""
    return tallies.count(tallies.COUPONS if include_batches else tallies.SINGLE_COUPONS)


def newest(
    columns: Sequence[str], page: int, per_page: int, include_batches: bool
) -> list[tuple[Any, ...]]:
    """Return a page of coupons as tuples, newest first, pages counted from 0."""
    query = _rows(columns)
    if not include_batches:
        query = query.where(Coupon.batch_id == ALONE)
    return window(query, Coupon.id, total(include_batches), page, per_page)


def of_batch(columns: Sequence[str], batch_id: int) -> list[tuple[Any, ...]]:
    """Return the coupons of a batch as tuples, in the order they were made."""
    return list(_rows(columns).where(Coupon.batch_id == batch_id).order_by(Coupon.id))


def _first(query: Any, code: str) -> Any:
    found = (
        query.where(Coupon.code == code).order_by(Coupon.live.is_null(), Coupon.id.desc()).first()
    )
    if found is None:
        raise NotFound("The promotion code does not exist", "code_not_found")
    return found


def _rows(columns: Sequence[str]) -> Any:
    return Coupon.select(*(getattr(Coupon, name) for name in columns), Coupon.terms_id).tuples()
