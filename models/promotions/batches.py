"""Batches: many codes made together under one set of terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from peewee import (
    BigIntegerField,
    BooleanField,
    Case,
    CharField,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
    TextField,
)

from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import audit, clock, counters, own_ids, visibility
from models.store.base import JSONText, Row, change, retried, snapshot
from models.store.errors import NotFound
from models.store.prepared import PagedQuery, Prepared, QueryResult, among, among_slots, slot


class Batch(Row):
    """Keep one batch and the counts that every list shows.

    `requested` is how many codes were asked for and `length` how many characters of each are
    drawn; generation goes on until `made` reaches `requested`. `carried_count` and `carried_used`
    are what an imported answer counted beyond the coupons it listed, less than 0 where it counted
    fewer. `config` is an imported
    configuration that the terms do not say already. Times are Unix seconds, None when unknown.
    `coupons_used` counts uses, `codes_used` the coupons that have any.
    `revision` rises with every change to the batch or one of its coupons. `realm` says who sees it.
    `imported` is true of one that another installation has under the same id, else NULL.
    """

    name = CharField(max_length=255)
    prefix = CharField(max_length=32, default="")
    complexity = SmallIntegerField(default=2)
    length = SmallIntegerField(default=12)
    requested = IntegerField(default=0)
    made = IntegerField(default=0)
    live = BooleanField(default=True)
    realm = SmallIntegerField(default=visibility.LEGACY)
    imported = BooleanField(null=True)
    notes = TextField(default="")
    terms = ForeignKeyField(Terms, on_delete="RESTRICT", index=False)
    terms_id: Any
    config = JSONText(null=True)
    coupons_count = BigIntegerField(default=0)
    coupons_used = BigIntegerField(default=0)
    codes_used = BigIntegerField(default=0)
    carried_count = BigIntegerField(default=0)
    carried_used = BigIntegerField(default=0)
    revision = BigIntegerField(default=1)
    created_at = BigIntegerField(null=True)
    updated_at = BigIntegerField(null=True)

    class Meta:
        indexes = ((("realm", "id"), False),)

    @property
    def complete(self) -> bool:
        """Tell whether all codes that were asked for have been made."""
        return self.made >= self.requested


@retried
def add(name: str, terms: Terms, realm: int = visibility.LEGACY, **fields: Any) -> Batch:
    """Make a batch without codes. Raises Invalid when no ids are left."""
    now = clock.now()
    with change():
        batch = Batch.create(
            name=name, terms=terms, realm=realm, created_at=now, updated_at=now, **fields
        )
        own_ids.check(batch.id)
        audit.note("made", "batch", batch.id, name, after={"codes": batch.requested})
        if realm == visibility.LEGACY:
            counters.add(counters.BATCHES, 1)
    return batch


def by_id(batch_id: int) -> Batch:
    """Return a batch that the legacy API sees. Raises NotFound."""
    batch = Batch.get_or_none(Batch.id == batch_id, Batch.realm == visibility.LEGACY)
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}", "batch_not_found")
    return batch


def page(number: int, per_page: int) -> tuple[int, QueryResult]:
    """Return how many batches there are, and (id, revision, coupons_count) of those on a page.

    Newest first, pages counted from 0.
    """
    with snapshot():
        total = counters.count(counters.BATCHES)
        return total, _listing.page(total, number, per_page)


def named(name: str) -> list[int]:
    """Return the ids of the batches with exactly this name, oldest first."""
    return [batch_id for batch_id, held, _ in _names() if held == name]


def like(text: str) -> list[int]:
    """Return the ids of the batches with this text in their name or prefix, newest first.

    Capitals and small letters are alike, in any alphabet and on every engine.
    """
    wanted = text.casefold()
    return [
        batch_id
        for batch_id, *texts in _names()
        if any(wanted in each.casefold() for each in texts)
    ][::-1]


def by_ids(columns: Sequence[str], ids: Sequence[int]) -> list[list[str]]:
    """Return batches, newest first; one that was deleted meanwhile is left out.

    They come column by column as texts, the id of the terms last; nothing without a batch.
    """
    count, values = among_slots(ids)
    return _by_ids(tuple(columns), count).result(**values).columns()


def bump(batch_id: int, **changes: Any) -> int:
    """Raise the revision of a batch, with the changes given; return how many rows were found."""
    return (
        Batch.update(revision=Batch.revision + 1, **changes).where(Batch.id == batch_id).execute()
    )


def carried(counted: int, carried: int) -> int:
    """Return what is carried beside so many that are counted: together they are 0 or more."""
    return max(carried, -counted)


def end_at_zero(batch_id: int) -> None:
    """Carry more where the counts of a batch, which is locked, have fallen below 0."""
    batch = Batch.get_or_none(Batch.id == batch_id)
    if batch is None or min(batch.coupons_count, batch.coupons_used) >= 0:
        return
    Batch.update(
        coupons_count=max(0, batch.coupons_count),
        coupons_used=max(0, batch.coupons_used),
        carried_count=batch.carried_count - min(0, batch.coupons_count),
        carried_used=batch.carried_used - min(0, batch.coupons_used),
    ).where(Batch.id == batch_id).execute()


def count_use(batch_id: int, coupon_id: int, sign: int) -> None:
    """Count a use of one of the codes (1), or that it was given back (-1); it has been counted."""
    _count_use.changed(id=batch_id, coupon_id=coupon_id, sign=sign, alone=max(sign, 0))
    if sign < 0:
        end_at_zero(batch_id)


def _names() -> Iterator[tuple[int, str, str]]:
    """Yield id, name and prefix of every batch, oldest first."""
    query: Any = Batch.select(Batch.id, Batch.name, Batch.prefix)
    return iter(query.where(Batch.realm == visibility.LEGACY).order_by(Batch.id).tuples())


_listing = PagedQuery(
    lambda: Batch.select(Batch.id, Batch.revision, Batch.coupons_count).where(
        Batch.realm == visibility.LEGACY
    ),
    Batch.id,
)
_count_use = Prepared(
    lambda: Batch.update(
        revision=Batch.revision + 1,
        coupons_used=Batch.coupons_used + slot("sign"),
        # A code's first use is used for the first time, its last one that is given back no more.
        codes_used=Batch.codes_used
        + Coupon.select(Case(None, [(Coupon.num_usage == slot("alone"), slot("sign"))], 0)).where(
            Coupon.id == slot("coupon_id")
        ),
    ).where(Batch.id == slot("id"))
)


@cache
def _by_ids(columns: tuple[str, ...], count: int) -> Prepared:
    return Prepared(
        lambda: (
            Batch.select(*(getattr(Batch, name) for name in columns), Batch.terms_id)
            .where(among(Batch.id, count))
            .order_by(Batch.id.desc())
        )
    )
