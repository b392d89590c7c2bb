"""Import batches and coupons of another installation with their ids and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import UTC, date, tzinfo
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from peewee import chunked

from models.imports.batch_counts import counts_of
from models.imports.records import BatchRecord, Changes, CouponRecord, assign, terms_with
from models.imports.report import BATCH, CODE, Clash, Report
from models.promotions import batches, campaign_counts, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import ALONE, Coupon
from models.promotions.terms import REPEAT, UNLIMITED, Terms, marked
from models.store import audit, clock, counters, visibility
from models.store.base import database, locked
from models.store.errors import Invalid
from models.store.texts import code_form

CHUNK = 1000
"""Coupons that are compared and written at once."""
KEPT_TERMS = 50_000
"""How many decisions about terms are remembered."""
Outcome = Literal["new", "changed", "unchanged"]
"""Says what became of a record in the store."""
WAY_OUT = "; it was made here: `promobridge panel renumber` gives it another"
"""Ends the refusal of an id that is taken by a row made here."""


class Contested(NamedTuple):
    """Hold a coupon whose live code another one had when it was stored.

    `was_repeat` tells whether an earlier import left it so.
    """

    id: int
    place: str
    was_repeat: bool
    outcome: Outcome


class Import:
    """Import records inside one transaction of the caller, and `settle` at its end.

    `batches` and `coupons` count the outcomes; `on_progress` is told how many more records are
    stored. `today` is local to the zone. Uses that were counted here since an earlier import are
    kept, and so are codes that were stopped here. With a `report`, each row is told there, and
    what would be refused is too, and is left out. `newer` tells which of the coupons with these
    ids, which are locked, were changed here since the records were made: they stay as they are.
    """

    def __init__(
        self,
        today: date,
        on_progress: Callable[[int], object] = lambda n: None,
        zone: tzinfo = UTC,
        report: Report | None = None,
        newer: Callable[[Sequence[int]], Container[int]] = lambda ids: (),
    ) -> None:
        self._newer = newer
        self.batches: Counter[Outcome] = Counter()
        self.coupons: Counter[Outcome] = Counter()
        self._today = today
        self._zone = zone
        self._on_progress = on_progress
        self._report = report
        # Not for longer than the transaction: undone, it takes rows of terms with it.
        self._terms = lru_cache(KEPT_TERMS)(terms_with)
        self._touched: set[int] = set()
        self._live: set[int] = set()
        self._contested: dict[int, Contested] = {}

    def put_batch(self, record: BatchRecord) -> None:
        """Store a batch and its coupons. Raises Clash and Invalid."""
        batch = Batch.get_or_none(Batch.id == record.id)
        # Names are edited and clocks are set anew; a batch made here differs in both.
        if batch and batch.created_at != record.created_at and batch.name != record.name:
            reason = f"the store has another batch under the id {record.id}"
            self._refuse(record, BATCH, record.name, reason + ("" if batch.imported else WAY_OUT))
            for each in record.coupons:
                self._refuse(each, CODE, each.code, f"its batch {record.id} is refused")
            return
        self.put_coupons(record.coupons)
        # Only now, after its coupons: whoever uses a code locks the rows in this order too.
        batch = locked(Batch.select().where(Batch.id == record.id)).first()
        if batch is None:
            # One with this id may have been deleted: its revisions must not come again.
            batch = Batch(id=record.id, revision=clock.now())
            changes = self._assign_record(batch, record)
            batch.imported = True
            database.reserve_ids("batch", record.id)
            batch.save(force_insert=True)
            counters.add(counters.BATCHES, 1)
            outcome: Outcome = "new"
        else:
            changes = self._assign_record(batch, record)
            outcome = "changed" if changes else "unchanged"
            if changes:
                self._touched.add(batch.id)
            if not batch.imported:
                batch.imported = True
            if batch.is_dirty():
                batch.save(only=batch.dirty_fields)
        self.batches[outcome] += 1
        self._tell(BATCH, record.id, record.name, outcome, changes)
        self._on_progress(1)

    def put_coupons(self, records: Sequence[CouponRecord]) -> None:
        """Store coupons. Raises Clash, and Invalid for more uses than there is room for."""
        for some in chunked(records, CHUNK):
            self._put_chunk(some)
            self._on_progress(len(some))

    def settle(self) -> None:
        """Decide which coupon has a live code that came under several ids: the newest.

        Count then what is in the batches, and in their campaigns. Raises Clash where the other
        coupon was not among the records.
        """
        for coupon_id in sorted(self._contested, reverse=True):
            contested = self._contested[coupon_id]
            coupon = Coupon.get_by_id(coupon_id)
            holder = Coupon.get_or_none(Coupon.code == coupon.code, Coupon.live == visibility.LIVE)
            if holder is not None:
                stranger = holder.id not in self._live
                if stranger and (self._report or not contested.was_repeat):
                    held = f"the store has this code live under the id {holder.id}, which "
                    why = "is not listed as live" if holder.imported else "was made here"
                    self._refuse(contested, CODE, coupon.code, held + why)
                    continue
                if holder.id > coupon_id:
                    continue
                self._set_live(holder, False)
            self._set_live(coupon, True)
            if contested.outcome == "unchanged":
                self.coupons["unchanged"] -= 1
                self.coupons["changed"] += 1
                self._tell(CODE, coupon_id, coupon.code, "changed", {"live": (False, True)})
        for batch_id in sorted(self._touched):
            # A change comes first: on every engine it holds the batch.
            if batches.bump(batch_id):
                batch = Batch.get_by_id(batch_id)
                Batch.update(counts_of(batch)).where(Batch.id == batch_id).execute()
                campaign_counts.recount(batch_id)
        outcomes = {
            f"{outcome} {what}": count
            for what, counts in (("batches", self.batches), ("codes", self.coupons))
            for outcome, count in counts.items()
            if outcome != "unchanged"
        }
        if outcomes:
            audit.note("imported", "import", 0, "another installation's rows", after=outcomes)

    def _put_chunk(self, records: Sequence[CouponRecord]) -> None:
        held = locked(Coupon.select().where(Coupon.id.in_([record.id for record in records])))
        stored: dict[int, Coupon] = {coupon.id: coupon for coupon in held}
        newer = self._newer([*stored])
        single = _single(stored)
        holders = coupons.live_ids([record.code for record in records if record.live])
        forms = {record.code: code_form(record.code) for record in records}
        with_form = coupons.live_ids_by_form([form for form in forms.values() if form])
        fresh: dict[int, Coupon] = {}
        for record in records:
            coupon = stored.get(record.id) or Coupon(id=record.id, code=record.code)
            if record.id in newer:
                self.coupons["unchanged"] += 1
                self._touched.add(coupon.batch_id)
                if coupon.live:
                    self._live.add(coupon.id)
                continue
            if coupon.code != record.code and not (self._report and coupon.imported):
                reason = f"the store has another code under the id {record.id}"
                if not coupon.imported:
                    reason += WAY_OUT
                self._refuse(record, CODE, record.code, reason)
                continue
            batch_before, terms_before = coupon.batch_id, coupon.terms_id
            # A record does not bring back what was archived here.
            live = bool(record.live) and not (coupon.shelved and not coupon.live)
            repeat = live and holders.setdefault(record.code, record.id) != record.id
            form = forms[record.code]
            if form and live and not repeat and with_form.setdefault(form, record.id) != record.id:
                form = None  # another spelling of the code is live and has it
            terms = self._terms((record.terms,), terms_before, repeat)
            columns = self._columns(coupon, record, live and not repeat, form, terms)
            if columns is None:
                continue
            outcome: Outcome = "unchanged"
            changes = assign(coupon, columns)
            if changes:
                outcome = "changed" if record.id in stored else "new"
                self._touched |= {batch_before, coupon.batch_id}
            if not coupon.imported:
                coupon.imported = True
            if outcome == "new":
                stored[record.id] = fresh[record.id] = coupon
            self.coupons[outcome] += 1
            self._tell(CODE, record.id, record.code, outcome, changes)
            if live:
                self._live.add(record.id)
            if repeat:
                was_repeat = bool(terms_before) and REPEAT in Terms.by_id(terms_before).extra
                contested = Contested(record.id, record.place, was_repeat, outcome)
                self._contested.setdefault(record.id, contested)
        if fresh:
            database.reserve_ids("coupon", max(fresh))
            rows = [[*coupon.cells().values()] for coupon in fresh.values()]
            coupons.insert(tuple(Coupon._meta.sorted_field_names), rows)
        for coupon in stored.values():
            if coupon.is_dirty() and coupon.id not in fresh:
                coupon.save(only=coupon.dirty_fields)
        counters.add(counters.COUPONS, len(fresh))
        counters.add(counters.SINGLE_COUPONS, _single(stored) - single)

    def _columns(
        self, coupon: Coupon, record: CouponRecord, live: bool, form: str | None, terms: Terms
    ) -> dict[str, Any] | None:
        """Return what a record says of a coupon, as it is in the store or new; None if refused."""
        # What is beyond the number that came before was counted here.
        used = max(0, record.num_usage + coupon.num_usage - coupon.imported_usage)
        if used > UNLIMITED:
            reason = f"with the uses that were counted here it must be {UNLIMITED} or less"
            if self._report is None:
                raise Invalid(f"{record.place}.num_usage: {reason}")
            self._refuse(record, CODE, record.code, f"num_usage: {reason}")
            return None
        active = coupon.active if record.active is None else record.active
        # What ended it here, or who stopped it, the other installation cannot know.
        if used > record.num_usage and terms.used_up(used):
            active = False
        elif coupon.stopped or terms.expired(self._today):
            active = active and coupon.active
        return {
            "code": record.code,
            "batch_id": coupon.batch_id if record.batch_id is None else record.batch_id,
            "live": visibility.LIVE if live else None,
            "form": form,
            "active": active,
            "num_usage": used,
            "imported_usage": record.num_usage,
            "terms_id": terms.id,
        }

    def _assign_record(self, batch: Batch, record: BatchRecord) -> Changes:
        """Lay a record over a batch whose coupons are stored; return what differs."""
        terms = self._terms(record.terms, batch.terms_id, False)
        # The last of a coupon that is listed twice is the one that is stored.
        listed = {coupon.id: coupon.num_usage for coupon in record.coupons}
        same = ("name", "prefix", "complexity", "notes", "config", "created_at", "updated_at")
        columns = {name: getattr(record, name) for name in same} | {
            "live": bool(record.live),
            "length": record.length or batch.length,
            "terms_id": terms.id,
            "carried_count": record.coupons_count - len(listed),
            "carried_used": record.coupons_used - sum(listed.values()),
        }
        if batch.terms_id != terms.id:
            campaign_counts.end_after(record.id, terms.expires, self._zone)
        changes = assign(batch, columns)
        return changes | assign(batch, counts_of(batch))

    def _set_live(self, coupon: Coupon, live: bool) -> None:
        """Make a coupon live, or the repeat of a live one."""
        terms = Terms.of(**marked(coupon.terms.content(), repeat=not live))
        form = code_form(coupon.code)
        if form and live and coupons.live_ids_by_form([form]).get(form, coupon.id) != coupon.id:
            form = None  # another spelling of the code is live and has it
        where = visibility.LIVE if live else None
        assign(coupon, {"live": where, "form": form, "terms_id": terms.id})
        coupon.save(only=coupon.dirty_fields)
        self._touched.add(coupon.batch_id)

    def _refuse(
        self, record: BatchRecord | CouponRecord | Contested, kind: str, name: str, reason: str
    ) -> None:
        """Tell why a record cannot be stored. Raises Clash without a report."""
        if self._report is None:
            raise Clash(record.place, reason)
        self._report.refused(kind, record.id, name, reason)

    def _tell(self, kind: str, id: int, name: str, outcome: Outcome, changes: Changes) -> None:
        if self._report is not None:
            self._report.stored(kind, id, name, outcome, changes)


def _single(coupons: Mapping[int, Coupon]) -> int:
    return sum(coupon.batch_id == ALONE for coupon in coupons.values())
