"""Import batches and coupons of another installation with their ids and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, tzinfo
from typing import NamedTuple

from models.imports import coupon_rows, imported_batches
from models.imports.coupon_rows import Limits, State
from models.imports.records import BatchRecord, CouponRecord, Offer, Outcome, same
from models.promotions import batches, campaign_counts
from models.promotions.batches import Batch
from models.promotions.coupons import ALONE, Coupon
from models.promotions.terms import REPEAT, Terms, marked
from models.store import counters, visibility
from models.store.errors import Conflict

CHUNK = 1000
"""Coupons that are compared and written at once."""
KEPT_TERMS = 50_000
"""How many decisions about terms are remembered."""
Place = Callable[[int], str]
"""Names where the record at an index of a list stands, for refusals."""
Choice = tuple[Offer, int | None, bool]
"""Asks for an offer over the stored terms with this id, and whether to mark them as a REPEAT."""


class Clash(Conflict):
    """Say where a record wants an id or a code that something else in the store has."""

    key = "clash"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


class Waiting(NamedTuple):
    """Remember a coupon whose live code another one had when it was put."""

    place: str
    known: bool
    outcome: Outcome


class Import:
    """Take records over inside one transaction of the caller, and `settle` at its end.

    `batches` and `coupons` count the outcomes; `on_progress` is told how many more records are
    stored. `today` is local to the zone. Uses that were counted here since an earlier import are
    kept, and so are codes that were stopped here.
    """

    def __init__(
        self,
        today: date,
        on_progress: Callable[[int], object] = lambda n: None,
        zone: tzinfo = UTC,
    ) -> None:
        self._today = today
        self._zone = zone
        self.batches: Counter[Outcome] = Counter()
        self.coupons: Counter[Outcome] = Counter()
        self._on_progress = on_progress
        self._terms: dict[Choice, Limits] = {}
        self._grown: dict[int, Counter[str]] = {}
        self._touched: set[int] = set()
        self._live: set[int] = set()
        self._waiting: dict[int, Waiting] = {}

    def put_batch(
        self, record: BatchRecord, coupons: Sequence[CouponRecord], place: str, places: Place
    ) -> None:
        """Store a batch and its coupons. Raises Clash."""
        stored = Batch.get_or_none(Batch.id == record.id)
        # Names are edited and clocks are set anew; a batch made here differs in both.
        if stored and stored.created_at != record.created_at and stored.name != record.name:
            raise Clash(place, f"the store has another batch under the id {record.id}")
        for start, stop in _runs(coupons):
            self._put(coupons[start:stop], start, places)
        # Only now, after its coupons: whoever uses a code holds the rows in this order too.
        grown = self._grown.pop(record.id, None)
        outcome = imported_batches.put(record, coupons, grown, self._zone)
        self._grow()
        self.batches[outcome] += 1
        self._on_progress(1)

    def put_coupons(self, records: Sequence[CouponRecord], places: Place) -> None:
        """Store coupons of answers that list no batches. Raises Clash."""
        for start, stop in _runs(records):
            self._put(records[start:stop], start, places)
        self._grow()

    def settle(self) -> None:
        """Decide which coupon has a live code that came under several ids: the newest.

        Count then what of all this is in campaigns, where only what is live counts as such.
        Raises Clash where the other one was not among the records.
        """
        for coupon_id in sorted(self._waiting, reverse=True):
            waiting = self._waiting[coupon_id]
            coupon = Coupon.get_by_id(coupon_id)
            holder = Coupon.get_or_none(Coupon.code == coupon.code, Coupon.live == visibility.LIVE)
            if holder is not None:
                if not waiting.known and holder.id not in self._live:
                    raise Clash(
                        waiting.place,
                        f"the store has this code live under the id {holder.id}, "
                        "which these files do not list as live",
                    )
                if holder.id > coupon_id:
                    continue
                _turn(holder, live=False)
            _turn(coupon, live=True)
            if waiting.outcome == "unchanged":
                self.coupons["unchanged"] -= 1
                self.coupons["changed"] += 1
            self._touched |= {coupon.batch_id, holder.batch_id if holder else ALONE}
        for batch_id in sorted(self._touched):
            campaign_counts.recount(batch_id)

    def _put(self, records: Sequence[CouponRecord], start: int, places: Place) -> None:
        """Store records with ids of their own, the first of which has the index `start`."""
        stored = coupon_rows.stored([record.id for record in records])
        for at, record in enumerate(records, start):
            if record.id in stored and stored[record.id].code != record.code:
                raise Clash(places(at), f"the store has another code under the id {record.id}")
        repeats = self._repeats(records, stored)
        chosen = self._choose_terms(
            {(record.offer, _terms_id(stored, record), record.id in repeats) for record in records}
        )
        written = []
        for at, record in enumerate(records, start):
            old = stored.get(record.id)
            repeat = record.id in repeats
            limits = chosen[record.offer, _terms_id(stored, record), repeat]
            live = _is_live(record, old) and not repeat
            if old is None:
                new = coupon_rows.new(record, live, limits)
            else:
                new = coupon_rows.changed(old, record, live, limits, self._today)
            outcome: Outcome = "unchanged" if new == old else "changed" if old else "new"
            if new != old:
                written.append(new)
                self._note_growth(old, new)
            if repeat:
                known = old is not None and REPEAT in Terms.numbered(old.terms_id).extra
                self._waiting.setdefault(record.id, Waiting(places(at), known, outcome))
            self.coupons[outcome] += 1
        fresh = [state for state in written if state.id not in stored]
        coupon_rows.add(fresh)
        coupon_rows.change([state for state in written if state.id in stored])
        counters.add(counters.COUPONS, len(fresh))
        single = sum(state.batch_id == ALONE for state in written)
        was_single = sum(
            stored[state.id].batch_id == ALONE for state in written if state.id in stored
        )
        counters.add(counters.SINGLE_COUPONS, single - was_single)
        self._on_progress(len(records))

    def _repeats(self, records: Sequence[CouponRecord], stored: Mapping[int, State]) -> set[int]:
        """Return the ids of live records whose code is live under another id."""
        live = [record for record in records if _is_live(record, stored.get(record.id))]
        self._live.update(record.id for record in live)
        rising = [
            record.code for record in live if record.id not in stored or not stored[record.id].live
        ]
        holders = coupon_rows.holders(rising)
        return {
            record.id for record in live if holders.setdefault(record.code, record.id) != record.id
        }

    def _choose_terms(self, asked: Iterable[Choice]) -> dict[Choice, Limits]:
        """Return the terms for each choice: what of them can end a coupon, and their id."""
        if len(self._terms) > KEPT_TERMS:
            self._terms.clear()
        missing = [key for key in asked if key not in self._terms]
        known = {key[1] for key in missing if key[1] is not None}
        contents = {row.id: row.content() for row in Terms.select().where(Terms.id.in_(known))}
        for key in missing:
            offer, terms_id, repeat = key
            before = Terms().content() if terms_id is None else contents[terms_id]
            after = marked(offer.over(before), repeat)
            kept = terms_id if terms_id is not None and same(before, after) else None
            self._terms[key] = Limits(
                kept or Terms.of(**after).id, after["max_usage"], after["expires"]
            )
        return self._terms

    def _note_growth(self, old: State | None, new: State) -> None:
        """Add what a coupon changes in the counts of its batch, and of the one it was in."""
        for state, sign in ((old, -1), (new, 1)):
            if state is not None and state.batch_id != ALONE:
                self._touched.add(state.batch_id)
                grown = self._grown.setdefault(state.batch_id, Counter())
                grown["count"] += sign
                grown["used"] += sign * state.num_usage

    def _grow(self) -> None:
        """Write the counts of the batches whose coupons changed."""
        for batch_id, grown in self._grown.items():
            batches.bump(
                batch_id,
                made=Batch.made + grown["count"],
                requested=Batch.requested + grown["count"],
                coupons_count=Batch.coupons_count + grown["count"],
                coupons_used=Batch.coupons_used + grown["used"],
            )
        self._grown.clear()


def _terms_id(stored: Mapping[int, State], record: CouponRecord) -> int | None:
    return stored[record.id].terms_id if record.id in stored else None


def _is_live(record: CouponRecord, old: State | None) -> bool:
    """Tell whether a coupon is to be live: a record does not bring back what was stopped here."""
    return record.live and not (old and old.shelved and not old.live)


def _runs(records: Sequence[CouponRecord]) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of slices that are short enough and hold no id twice."""
    start = 0
    ids: set[int] = set()
    for at, record in enumerate(records):
        if len(ids) == CHUNK or record.id in ids:
            yield start, at
            start = at
            ids.clear()
        ids.add(record.id)
    if ids:
        yield start, len(records)


def _turn(coupon: Coupon, live: bool) -> None:
    """Make a coupon live, or the repeat of a live one."""
    content = marked(coupon.terms.content(), repeat=not live)
    Coupon.update(live=visibility.LIVE if live else None, terms=Terms.of(**content)).where(
        Coupon.id == coupon.id
    ).execute()
    batches.bump(coupon.batch_id)
