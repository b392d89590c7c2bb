"""Rows that came from a panel and are there no longer."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from models.imports.report import BATCH, CODE, Report
from models.promotions import batch_life, coupon_life
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import REPEAT, Terms
from models.store.errors import Conflict

SLICE = 1_000
NOTHING_SEEN = "The panel lists no promotions at all: nothing is archived, look there first"


class SeenIds:
    """Hold the ids that were seen: 8 bytes each."""

    def __init__(self) -> None:
        self._ids = array("q")
        self._sorted = True

    def add(self, ids: Iterable[int]) -> None:
        """Add ids."""
        self._ids.extend(ids)
        self._sorted = False

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __bool__(self) -> bool:
        return bool(self._ids)

    def __contains__(self, wanted: object) -> bool:
        assert isinstance(wanted, int)  # noqa: S101  # the protocol takes any object
        ids = self._in_order()
        at = bisect_left(ids, wanted)
        return at < len(ids) and ids[at] == wanted

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SeenIds) and self._in_order() == other._in_order()

    __hash__ = None  # type: ignore[assignment]  # ids may be added

    def _in_order(self) -> array[int]:
        if not self._sorted:
            self._ids = array("q", sorted(set(self._ids)))
            self._sorted = True
        return self._ids


def tell(
    report: Report, seen_batches: SeenIds, seen_codes: SeenIds, today: date, *, archive: bool
) -> None:
    """Report the live rows of a panel that were not seen, and archive them if that is asked.

    Inside the transaction of the import. Codes of a batch that has vanished are told with it.
    Raises Conflict when all would be archived.
    """
    if archive and not (seen_batches or seen_codes):
        raise Conflict(NOTHING_SEEN)
    gone = {
        batch.id: batch
        for batch in Batch.select().where(Batch.imported == True, Batch.live == True)  # noqa: E712  # SQL
        if batch.id not in seen_batches
    }
    for batch in gone.values():
        report.vanished(BATCH, batch.id, batch.name, f"with {batch.coupons_count:,} codes")
        if archive:
            batch_life.edit(batch.id, today, live=False)
    after = 0
    while True:
        query: Any = Coupon.select().where(Coupon.imported == True, Coupon.id > after)  # noqa: E712  # SQL
        some = list(query.order_by(Coupon.id).limit(SLICE))
        for coupon in some:
            if coupon.id in seen_codes or coupon.batch_id in gone or not _shown_as_live(coupon):
                continue
            report.vanished(CODE, coupon.id, coupon.code, "")
            if archive:
                coupon_life.edit(coupon.id, today, live=False)
        if len(some) < SLICE:
            return
        after = some[-1].id


def _shown_as_live(coupon: Coupon) -> bool:
    return bool(coupon.live) or REPEAT in Terms.by_id(coupon.terms_id).extra
