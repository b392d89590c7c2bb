"""Import codes that were made elsewhere, with the uses that they had there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from peewee import fn

from models.promotions import batch_life, campaign_counts, coupons, event_facts
from models.promotions.batches import Batch
from models.promotions.coupons import ALONE, Coupon
from models.store import audit, counters
from models.store.texts import code_form
from models.webhooks.webhooks import BATCH_READY

LIVE = "is live already"
STAYS_LIVE = "is live, and Archived in a file does not stop it"
REPEATED = "is on an earlier line"


class OwnCode(NamedTuple):
    """Hold the columns that differ between codes, as they are in a coupon."""

    code: str
    live: int | None
    active: bool
    terms: int
    num_usage: int = 0
    imported_usage: int = 0
    stopped: bool | None = None


class OwnCodeImport:
    """Store codes inside one transaction of the caller, and `settle` at its end.

    They go into a batch or stand alone. `today` is local. Raises NotFound, and Conflict for a
    batch that is archived or has expired.
    """

    def __init__(self, today: date, batch_id: int = ALONE) -> None:
        self.batch_id = batch_id
        self.stored = 0
        self.uses = self.used = 0
        if batch_id != ALONE:
            batch_life.lock_open(batch_id, today)
        self._last_id = Coupon.select(fn.MAX(Coupon.id)).scalar() or 0

    def put(self, codes: Mapping[int, OwnCode]) -> dict[int, str]:
        """Store those of the codes that can be; return why others cannot, by line."""
        forms = {line: code_form(each.code) for line, each in codes.items()}
        holders = coupons.live_ids([each.code for each in codes.values()])
        form_holders = coupons.live_ids_by_form([form for form in forms.values() if form])
        refused: dict[int, str] = {}
        rows: list[tuple[Any, ...]] = []
        for line, each in codes.items():
            form = forms[line]
            holder = holders.get(each.code) or form_holders.get(form or "")
            # Ids rise: a higher one was given to a code of this import.
            stranger = holder is not None and holder <= self._last_id
            if stranger or (each.live and holder is not None):
                refused[line] = (LIVE if each.live else STAYS_LIVE) if stranger else REPEATED
                continue
            if each.live:
                holders[each.code] = self._last_id + 1
                if form:
                    form_holders[form] = self._last_id + 1
            rows.append((*each, form))
            self.uses += each.num_usage
            self.used += each.num_usage > 0
        coupons.insert((*OwnCode._fields, "form"), rows, batch_id=self.batch_id)
        self.stored += len(rows)
        return refused

    def settle(self) -> None:
        """Count what was stored."""
        counters.add(counters.COUPONS, self.stored)
        audit.note("imported", "batch", self.batch_id, "own codes", after={"codes": self.stored})
        if self.batch_id == ALONE:
            counters.add(counters.SINGLE_COUPONS, self.stored)
            return
        Batch.update(
            requested=Batch.requested + self.stored,
            made=Batch.made + self.stored,
            coupons_count=Batch.coupons_count + self.stored,
            coupons_used=Batch.coupons_used + self.uses,
            codes_used=Batch.codes_used + self.used,
        ).where(Batch.id == self.batch_id).execute()
        campaign_counts.recount(self.batch_id)
        batch = Batch.get_by_id(self.batch_id)
        more = {"codes": batch.coupons_count}
        event_facts.tell_of_batch(BATCH_READY, batch.id, batch.realm, more)
