"""Give rows made here, under ids that a panel has given to others, new ids from own_ids.FIRST."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from peewee import Case, IntegrityError, chunked

from models.access.refused_tries import RefusedTry
from models.campaigns.campaign_codes import CodeAlias
from models.campaigns.jobs import Job
from models.imports.records import BatchRecord, CouponRecord
from models.imports.report import BATCH, CODE
from models.panel.pending import PanelPending
from models.promotions import batch_life, batches
from models.promotions.batch_jobs import BatchJob
from models.promotions.batches import Batch
from models.promotions.campaign_counts import CampaignBatch
from models.promotions.coupons import ALONE, Coupon
from models.redemptions.daily_sums import DailySum
from models.redemptions.redemption import Redemption
from models.redemptions.services import ServiceUse
from models.store import own_ids
from models.store.base import change, database, locked, retried
from models.store.errors import Busy, Conflict

CHUNK = 500
"""Codes that are moved by one statement; of those in no batch, by one transaction."""
ATTEMPTS = 8
"""How often new ids are taken where other rows got them meanwhile."""
REFERENCES: dict[str, tuple[Any, ...]] = {
    BATCH: (
        Batch.id,
        Coupon.batch_id,
        Redemption.batch_id,
        DailySum.batch_id,
        BatchJob.batch_id,
        CampaignBatch.batch_id,
        Job.batch,
    ),
    CODE: (
        Coupon.id,
        Redemption.coupon_id,
        ServiceUse.coupon_id,
        CodeAlias.coupon_id,
        PanelPending.coupon_id,
        RefusedTry.coupon_id,
    ),
}
"""The columns that hold the id of a row, its own first."""


class Moved(NamedTuple):
    """Hold a row with its old id and its new one, None where it was not moved."""

    kind: str
    id: int
    name: str
    new_id: int | None


class Obstacles:
    """Find rows made here that are in the way of a panel's."""

    def __init__(self) -> None:
        self.batches: dict[int, str] = {}
        self.codes: dict[int, dict[int, str]] = {}
        """By the id of their batch: code by id."""

    def look_at(self, records: Sequence[BatchRecord | CouponRecord]) -> None:
        """Compare rows of the panel with those that the store has under the same ids."""
        for record in records:
            if isinstance(record, BatchRecord):
                self._look_at_batch(record)
                self._look_at_codes(record.coupons)
        self._look_at_codes([each for each in records if isinstance(each, CouponRecord)])

    def _look_at_batch(self, record: BatchRecord) -> None:
        mine = Batch.get_or_none(Batch.id == record.id, Batch.imported.is_null())
        if mine and mine.created_at != record.created_at and mine.name != record.name:
            self.batches[mine.id] = mine.name

    def _look_at_codes(self, records: Sequence[CouponRecord]) -> None:
        for some in chunked(records, CHUNK):
            theirs = {record.id: record.code for record in some}
            mine: Any = Coupon.select().where(Coupon.id.in_([*theirs]), Coupon.imported.is_null())
            for coupon in mine.order_by(Coupon.id):
                if coupon.code != theirs[coupon.id]:
                    self.codes.setdefault(coupon.batch_id, {})[coupon.id] = coupon.code

    def listed(self) -> Iterable[Moved]:
        """Yield the rows that are in the way."""
        for batch_id, name in self.batches.items():
            yield Moved(BATCH, batch_id, name, None)
        for codes in self.codes.values():
            for coupon_id, code in codes.items():
                yield Moved(CODE, coupon_id, code, None)

    def move(self, on_moved: Callable[[Sequence[Moved]], object]) -> None:
        """Give them new ids: a batch with its codes in one transaction; tell of each.

        All that refers to them goes along, so what is broken off leaves whole batches on either
        side. Raises Invalid when no ids are left, Conflict for a batch that is still being made,
        and Busy.
        """
        for batch_id in sorted(self.batches.keys() | self.codes.keys() - {ALONE}):
            codes = self.codes.get(batch_id, {})
            on_moved(_moved(self.batches.get(batch_id), batch_id, codes))
        for some in chunked(sorted(self.codes.get(ALONE, {}).items()), CHUNK):
            on_moved(_moved(None, ALONE, dict(some)))


def _moved(name: str | None, batch_id: int, codes: dict[int, str]) -> list[Moved]:
    """Move a batch, unless its name is None, and codes of it or of none."""
    for _ in range(ATTEMPTS):
        first_batch = _reserved("batch", 1) if name is not None else None
        new_ids = dict(zip(codes, range(_reserved("coupon", len(codes)), 2**63), strict=False))
        try:
            return _move(name, batch_id, first_batch, codes, new_ids)
        except IntegrityError:  # another process has made rows with these ids meanwhile
            continue
    raise Busy


@retried
def _move(
    name: str | None,
    batch_id: int,
    new_batch_id: int | None,
    codes: dict[int, str],
    new_ids: dict[int, int],
) -> list[Moved]:
    done: list[Moved] = []
    with change():
        if batch_id != ALONE:
            batch = batch_life.lock_with_coupons(batch_id)
            if not batch.complete:  # whoever makes its codes knows it by the old id
                raise Conflict(f"The batch {batch_id} is still being made", "batch_unfinished")
        for some in chunked(codes, CHUNK):
            here: Any = Coupon.select(Coupon.id).where(
                Coupon.id.in_(some), Coupon.batch_id == batch_id
            )
            there = [coupon_id for (coupon_id,) in locked(here.order_by(Coupon.id)).tuples()]
            renumber(CODE, {coupon_id: new_ids[coupon_id] for coupon_id in there})
            done += [Moved(CODE, each, codes[each], new_ids[each]) for each in there]
        if batch_id != ALONE:
            batches.bump(batch_id)
        if name is not None and new_batch_id is not None:
            renumber(BATCH, {batch_id: new_batch_id})
            done.insert(0, Moved(BATCH, batch_id, name, new_batch_id))
    return done


def _reserved(table: str, count: int) -> int:
    """Return the first of so many ids that no row will be given. Raises Invalid."""
    last = max(database.last_id(table), own_ids.FIRST - 1)
    own_ids.check(last + count)
    database.number_above(table, last + count)
    return last + 1


def renumber(kind: str, new_ids: dict[int, int]) -> None:
    """Give rows other ids, by their old ones, and all that refers to them; in a transaction."""
    if not new_ids:
        return
    for column in REFERENCES[kind]:
        cases = Case(column, [*new_ids.items()])
        column.model.update({column: cases}).where(column.in_([*new_ids])).execute()
