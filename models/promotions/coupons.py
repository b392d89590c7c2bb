"""Coupons: single codes, alone or in a batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    fn,
)

from models.promotions.terms import Terms
from models.store import audit, counters, own_ids, visibility
from models.store.base import Row, change, locked, retried
from models.store.errors import Conflict, NotFound
from models.store.prepared import Prepared, numbered_slots, slot, slots
from models.store.texts import CODE_LENGTH, FORM_LENGTH, code_form

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
    on SQLite, PostgreSQL and MariaDB alike; so does the one on (form, live). `form` is the code
    as codes are compared, or NULL: this one is found by its exact spelling alone, since another
    had the form when it came. `realm` says who sees the code at all.
    `imported` is true of one that another installation has under the same id, else NULL.
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
    form = CharField(max_length=FORM_LENGTH, null=True)
    imported = BooleanField(null=True)
    terms = ForeignKeyField(Terms, on_delete="RESTRICT", index=False)
    terms_id: Any

    class Meta:
        indexes = (
            (("code", "live"), True),
            (("form", "live"), True),
            (("batch_id", "id"), False),
            (("realm", "id"), False),
        )


LEGACY = Coupon.realm == visibility.LEGACY
"""The condition of lists of the legacy API."""
SEEN = (Coupon.realm + 0) == visibility.LEGACY
"""The same for look-ups of one code, which must not use the index of the realm:
SQLite would take it to be as selective as that of the codes."""


def by_code(code: str) -> Coupon:
    """Return the live coupon with this code, else the newest archived one. Raises NotFound.

    A code is found as it is, else by its form; a live one by either before an archived one.
    """
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
    row = _row_by_code((), text)
    coupon = Coupon.of_row(row) if row else None
    if (coupon is None or not coupon.live) and ID.fullmatch(text):
        coupon = _seen(int(text)) or coupon
    if coupon is None:
        raise NotFound(NO_SUCH_CODE, "code_not_found")
    return coupon


def row_by_code(columns: Sequence[str], code: str) -> tuple[Any, ...]:
    """Return the same coupon as a tuple of columns, then the id of its terms. Raises NotFound."""
    row = _row_by_code(tuple(columns), code)
    if row is None:
        raise NotFound(NO_SUCH_CODE, "code_not_found")
    return row


@retried
def add(code: str, terms: Terms, live: bool = True, active: bool = True) -> Coupon:
    """Make a coupon that stands alone. Raises Conflict when a live coupon has the code.

    Raises Invalid when no ids are left.
    """
    where = visibility.LIVE if live else None
    try:
        with change():
            form = code_form(code)
            coupon = Coupon.create(code=code, form=form, terms=terms, live=where, active=active)
            own_ids.check(coupon.id)
            audit.note("made", "code", coupon.id, code)
            counters.add(counters.COUPONS, 1)
            counters.add(counters.SINGLE_COUPONS, 1)
    except IntegrityError as problem:
        raise taken(spelled(code)) from problem
    return coupon


def spelled(code: str) -> Any:
    """Return the condition on coupons that a live one with this code cannot stand beside."""
    return (Coupon.code == code) | (Coupon.form == (code_form(code) or code))


def taken(codes: Any, sentence: str = CODE_EXISTS) -> Conflict:
    """Return the refusal to make codes live of which one is; `codes` is the condition on them."""
    elsewhere = Coupon.select().where(codes, Coupon.live == visibility.LIVE, ~SEEN).exists()
    return Conflict(sentence, EXISTS_ELSEWHERE if elsewhere else EXISTS)


def insert(
    columns: tuple[str, ...], rows: Sequence[Sequence[Any]], skip_live: bool = False, **shared: Any
) -> int:
    """Insert coupons and return how many; with `skip_live` without those whose code is live.

    Each row has a value for each of the columns, `shared` are those that all rows have, and the
    others get their defaults. Raises Invalid when no ids are left. Measured on SQLite, with
    statements that are compiled once: 7 times the coupons inserted a second.
    """
    names = tuple(shared)
    count = sum(
        _insert(columns, names, len(some), skip_live).changed(
            **shared, **numbered_slots([*chain(*some)])
        )
        for some in chunked(rows, ROWS)
    )
    own_ids.check(_last.rows()[0][0])
    return count


def live_ids(codes: Sequence[str]) -> dict[str, int]:
    """Return the ids of the coupons with these codes that are LIVE, by code."""
    return _live_ids("code", codes)


def live_ids_by_form(forms: Sequence[str]) -> dict[str, int]:
    """Return the ids of the coupons with these forms that are LIVE, by form."""
    return _live_ids("form", forms)


def selected(columns: Sequence[str]) -> Any:
    """Return the query of these columns of coupons, then the id of their terms."""
    return Coupon.select(*(getattr(Coupon, name) for name in columns), Coupon.terms_id)


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


def _row_by_code(columns: tuple[str, ...], text: str) -> tuple[Any, ...] | None:
    found = _by_text(columns, "code").first(text=text)
    if found is None or found[-1] is None:
        form = code_form(text)
        other = _by_text(columns, "form").first(text=form) if form else None
        if found is None or (other and other[-1] is not None):
            found = other
    return found[:-1] if found else None


def _live_ids(name: str, texts: Sequence[str]) -> dict[str, int]:
    found = _live_with(name, len(texts)).rows(**numbered_slots(texts)) if texts else ()
    return dict(found)


@cache
def _by_text(columns: tuple[str, ...], name: str) -> Prepared:
    """Return the query of the live coupon with a code or form, else of the newest archived one.

    Its rows end with `live`.
    """
    chosen = selected(columns) if columns else Coupon.select()
    return Prepared(
        lambda: (
            chosen.select_extend(Coupon.live)
            .where(getattr(Coupon, name) == slot("text"), SEEN)
            # The order of the index of codes or of forms, backwards: nothing is sorted.
            .order_by(Coupon.live.desc(nulls="LAST"), Coupon.id.desc())
            .limit(1)
        )
    )


@cache
def _live_with(name: str, count: int) -> Prepared:
    column = getattr(Coupon, name)
    return Prepared(
        lambda: Coupon.select(column, Coupon.id).where(
            column.in_(slots(count)), Coupon.live == visibility.LIVE
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


_last = Prepared(lambda: Coupon.select(fn.MAX(Coupon.id)))
_by_id = Prepared(lambda: Coupon.select().where(Coupon.id == slot("id")))
