"""Import codes that were made elsewhere and never used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from peewee import fn

from models.imports import coupon_rows
from models.promotions import batches, campaign_counts
from models.promotions.batches import Batch
from models.promotions.coupons import ALONE, Coupon
from models.store import clock, counters, visibility
from models.store.errors import Conflict
from models.store.prepared import Prepared, numbered_slots, slot, slots

ROWS = 100
"""Coupons in one INSERT statement."""
LIVE = "is live already"
REPEATED = "is on an earlier line"


class OwnCode(NamedTuple):
    """Hold what differs between codes; the order is that of the columns that are written."""

    code: str
    live: int | None
    active: bool
    terms_id: int


class Intake:
    """Take codes in inside one transaction of the caller, and `settle` at its end.

    They go into a batch or stand alone. `today` is local. Raises NotFound, and Conflict for a
    batch that is archived or has expired.
    """

    def __init__(self, today: date, batch_id: int = ALONE) -> None:
        self.batch_id = batch_id
        self.stored = 0
        if batch_id != ALONE:
            # A change comes first: on every engine it holds the batch.
            batches.bump(batch_id, updated_at=clock.now())
            batch = batches.by_id(batch_id)
            if not batch.live:
                raise Conflict("The batch is archived", "batch_archived")
            if batch.terms.expired(today):
                raise Conflict("The batch has expired", "batch_expired")
        self._last_id = Coupon.select(fn.MAX(Coupon.id)).scalar() or 0

    def put(self, codes: Sequence[OwnCode]) -> dict[int, str]:
        """Store those of the codes that can be; return why others cannot, by their index."""
        rising = [each.code for each in codes if each.live]
        holders = coupon_rows.holders(rising) if rising else {}
        refused: dict[int, str] = {}
        fresh = []
        for at, each in enumerate(codes):
            if each.live and each.code in holders:
                # Ids rise: a higher one was given to a code of this intake.
                refused[at] = LIVE if holders[each.code] <= self._last_id else REPEATED
                continue
            if each.live:
                holders[each.code] = self._last_id + 1
            fresh.append(each)
        for start in range(0, len(fresh), ROWS):
            some = fresh[start : start + ROWS]
            rows = [row._replace(live=visibility.LIVE if row.live else None) for row in some]
            values = [value for row in rows for value in row]
            _insert(len(some)).rows(**numbered_slots(values), batch_id=self.batch_id)
        self.stored += len(fresh)
        return refused

    def settle(self) -> None:
        """Count what was stored."""
        counters.add(counters.COUPONS, self.stored)
        if self.batch_id == ALONE:
            counters.add(counters.SINGLE_COUPONS, self.stored)
            return
        Batch.update(
            requested=Batch.requested + self.stored,
            made=Batch.made + self.stored,
            coupons_count=Batch.coupons_count + self.stored,
        ).where(Batch.id == self.batch_id).execute()
        campaign_counts.recount(self.batch_id)


@cache
def _insert(count: int) -> Prepared:
    columns: list[Any] = [Coupon.code, Coupon.live, Coupon.active, Coupon.terms]
    width = len(columns)
    values = slots(count * width)
    batch = slot("batch_id")
    rows = [[*values[at : at + width], batch] for at in range(0, len(values), width)]
    return Prepared(lambda: Coupon.insert_many(rows, fields=[*columns, Coupon.batch_id]))
