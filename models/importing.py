"""Importing: taking over batches and coupons that another installation counted, with their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from peewee import fn

from models import batches, tallies
from models.base import database
from models.batches import Batch
from models.coupons import ALONE, Coupon
from models.errors import Conflict
from models.money import rounded
from models.terms import Terms

CHUNK = 1000
"""Coupons that are compared and written at once."""
KEPT_TERMS = 50_000
"""How many decisions about terms are remembered."""
REPEAT = "repeat"
"""Marks in the `extra` of terms a coupon that was said to be live although a newer one has its
code: it is not live here, so that the code finds the newer one, but is still shown as live."""

Outcome = Literal["new", "changed", "unchanged"]
Place = Callable[[int], str]
"""Names where the record at an index of a list stands, for refusals."""


class Clash(Conflict):
    """Say where a record wants an id or a code that something else in the store has."""

    key = "clash"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


@dataclass(frozen=True, eq=False, slots=True)
class Offer:
    """Hold what one kind of answer says about terms; records with equal terms share one.

    `places` are the decimals of amounts that the answer rounds. `extra` is what the answer says
    beyond the known fields and is kept under the name of its `shape`.
    """

    shape: str
    values: Mapping[str, Any]
    places: Mapping[str, int]
    extra: Sequence[Any]

    def over(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of terms with what this says, where it says more than is known."""
        values = {
            name: value
            for name, value in self.values.items()
            if not self._is_coarse(name, value, content[name])
        }
        extra = content["extra"] | {self.shape: list(self.extra)}
        return {**content, **values, "extra": _tidy(extra)}

    def _is_coarse(self, name: str, value: Any, known: Decimal) -> bool:
        return name in self.places and rounded(known, self.places[name]) == value


@dataclass(frozen=True, slots=True)
class CouponRecord:
    """Hold one coupon of an answer; what is None the answer does not say."""

    id: int
    code: str
    live: bool
    num_usage: int
    offer: Offer
    batch_id: int | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """Hold one batch of an answer.

    Later `offers` go over earlier ones. `config` is None where the terms say it already, `length`
    where no code tells it. The counts are the ones that the answer gives. Times are Unix seconds.
    """

    id: int
    name: str
    live: bool
    prefix: str
    complexity: int
    length: int | None
    notes: str
    offers: Sequence[Offer]
    config: Any
    coupons_count: int
    coupons_used: int
    created_at: int | None
    updated_at: int | None


class State(NamedTuple):
    """Hold the columns of a coupon, in the order of COLUMNS."""

    id: int
    batch_id: int
    code: str
    live: bool | None
    active: bool
    num_usage: int
    imported_usage: int
    terms_id: int


COLUMNS = [getattr(Coupon, name) for name in State._fields]


class Waiting(NamedTuple):
    """Remember a coupon whose live code another one had when it was put."""

    place: str
    known: bool
    outcome: Outcome


class Import:
    """Take records over inside one transaction of the caller, and `settle` at its end.

    `batches` and `coupons` count the outcomes; `on_progress` is told how many more records are
    stored. Uses that were counted here since an earlier import are kept.
    """

    def __init__(self, on_progress: Callable[[int], object] = lambda count: None) -> None:
        self.batches: Counter[Outcome] = Counter()
        self.coupons: Counter[Outcome] = Counter()
        self._on_progress = on_progress
        self._terms: dict[tuple[Offer, int | None, bool], tuple[int, int]] = {}
        self._grown: dict[int, Counter[str]] = {}
        self._live: set[int] = set()
        self._waiting: dict[int, Waiting] = {}

    def put_batch(
        self, record: BatchRecord, coupons: Sequence[CouponRecord], place: str, places: Place
    ) -> Outcome:
        """Store a batch and its coupons. Raises Clash."""
        stored = Batch.get_or_none(Batch.id == record.id)
        # Names are edited and clocks are set anew; a batch made here differs in both.
        if stored and stored.created_at != record.created_at and stored.name != record.name:
            raise Clash(place, f"the store has another batch under the id {record.id}")
        for start, stop in _runs(coupons):
            self._put(coupons[start:stop], start, places)
        # The last of a coupon that is listed twice is the one that is stored.
        listed = {coupon.id: coupon.num_usage for coupon in coupons}
        columns = {
            "name": record.name,
            "live": record.live,
            "prefix": record.prefix,
            "complexity": record.complexity,
            "notes": record.notes,
            "config": record.config,
            "terms_id": _terms_of_batch(record.offers, stored),
            "carried_count": record.coupons_count - len(listed),
            "carried_used": record.coupons_used - sum(listed.values()),
            "created_at": record.created_at,
            "updated_at": record.updated_at,
        }
        if record.length:
            columns["length"] = record.length
        grown = self._grown.pop(record.id, None)
        if stored is None:
            _add_batch(record.id, columns, len(listed))
            outcome: Outcome = "new"
        else:
            outcome = _change_batch(stored, columns, len(listed), grown)
        self._grow()
        self.batches[outcome] += 1
        self._on_progress(1)
        return outcome

    def put_coupons(self, records: Sequence[CouponRecord], places: Place) -> None:
        """Store coupons of answers that list no batches. Raises Clash."""
        for start, stop in _runs(records):
            self._put(records[start:stop], start, places)
        self._grow()

    def settle(self) -> None:
        """Decide which coupon has a live code that came under several ids: the newest.

        Raises Clash where the other one was not among the records.
        """
        for coupon_id in sorted(self._waiting, reverse=True):
            waiting = self._waiting[coupon_id]
            coupon = Coupon.get_by_id(coupon_id)
            holder = Coupon.get_or_none(Coupon.code == coupon.code, Coupon.live)
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
                self.coupons.subtract(unchanged=1)
                self.coupons["changed"] += 1

    def _put(self, records: Sequence[CouponRecord], start: int, places: Place) -> None:
        """Store records with ids of their own, the first of which has the index `start`."""
        stored = _stored([record.id for record in records])
        for at, record in enumerate(records, start):
            if record.id in stored and stored[record.id].code != record.code:
                raise Clash(places(at), f"the store has another code under the id {record.id}")
        repeats = self._repeats(records, stored)
        chosen = self._choose_terms(
            {
                (record.offer, _terms_id(stored, record), record.id in repeats)
                for record in records
            }
        )
        written = []
        for at, record in enumerate(records, start):
            old = stored.get(record.id)
            repeat = record.id in repeats
            terms_id, max_usage = chosen[record.offer, _terms_id(stored, record), repeat]
            new = _state(record, old, repeat, terms_id, max_usage)
            outcome: Outcome = "unchanged" if new == old else "changed" if old else "new"
            if new != old:
                written.append(new)
                self._note_growth(old, new)
            if repeat:
                known = old is not None and not old.live and old.terms_id == terms_id
                self._waiting.setdefault(record.id, Waiting(places(at), known, outcome))
            self.coupons[outcome] += 1
        _write(written)
        fresh = [state for state in written if state.id not in stored]
        tallies.add(tallies.COUPONS, len(fresh))
        single = sum(state.batch_id == ALONE for state in written)
        was_single = sum(
            stored[state.id].batch_id == ALONE for state in written if state.id in stored
        )
        tallies.add(tallies.SINGLE_COUPONS, single - was_single)
        self._on_progress(len(records))

    def _repeats(
        self, records: Sequence[CouponRecord], stored: Mapping[int, State]
    ) -> set[int]:
        """Return the ids of live records whose code is live under another id."""
        live = [record for record in records if record.live]
        self._live.update(record.id for record in live)
        rising = [
            record.code
            for record in live
            if record.id not in stored or not stored[record.id].live
        ]
        query = Coupon.select(Coupon.code, Coupon.id).where(Coupon.code.in_(rising), Coupon.live)
        holders: dict[str, int] = dict(query.tuples()) if rising else {}
        return {
            record.id
            for record in live
            if holders.setdefault(record.code, record.id) != record.id
        }

    def _choose_terms(
        self, asked: Iterable[tuple[Offer, int | None, bool]]
    ) -> dict[tuple[Offer, int | None, bool], tuple[int, int]]:
        """Return the id and the `max_usage` of the terms for an offer over terms that are stored.

        The third member of the key asks for terms that are marked as a REPEAT.
        """
        if len(self._terms) > KEPT_TERMS:
            self._terms.clear()
        missing = [key for key in asked if key not in self._terms]
        known = {key[1] for key in missing}
        contents = {row.id: row.content() for row in Terms.select().where(Terms.id.in_(known))}
        for key in missing:
            offer, terms_id, repeat = key
            before = Terms().content() if terms_id is None else contents[terms_id]
            after = _marked(offer.over(before), repeat)
            kept = terms_id if terms_id is not None and _same(before, after) else None
            self._terms[key] = kept or Terms.of(**after).id, after["max_usage"]
        return self._terms

    def _note_growth(self, old: State | None, new: State) -> None:
        """Add what a coupon changes in the counts of its batch, and of the one it was in."""
        for state, sign in ((old, -1), (new, 1)):
            if state is not None and state.batch_id != ALONE:
                grown = self._grown.setdefault(state.batch_id, Counter())
                grown["count"] += sign
                grown["used"] += sign * state.num_usage

    def _grow(self) -> None:
        """Write the counts of the batches whose coupons changed."""
        for batch_id, grown in self._grown.items():
            batches.bump(
                batch_id,
                coupons_count=Batch.coupons_count + grown["count"],
                coupons_used=Batch.coupons_used + grown["used"],
            )
        self._grown.clear()


def _state(
    record: CouponRecord, old: State | None, repeat: bool, terms_id: int, max_usage: int
) -> State:
    """Return the columns of a coupon as a record makes them."""
    active = True if record.active is None else record.active
    batch_id = record.batch_id or ALONE
    used = record.num_usage
    if old is not None:
        batch_id = old.batch_id if record.batch_id is None else batch_id
        active = old.active if record.active is None else active
        used += old.num_usage - old.imported_usage
        if used > record.num_usage and 0 < max_usage <= used:
            active = False  # used up here, which the other installation cannot know
    return State(
        id=record.id,
        batch_id=batch_id,
        code=record.code,
        live=True if record.live and not repeat else None,
        active=active,
        num_usage=max(0, used),
        imported_usage=record.num_usage,
        terms_id=terms_id,
    )


def _stored(ids: Sequence[int]) -> dict[int, State]:
    rows = Coupon.select(*COLUMNS).where(Coupon.id.in_(ids)).tuples()
    return {row[0]: State(*row) for row in rows}


def _terms_id(stored: Mapping[int, State], record: CouponRecord) -> int | None:
    return stored[record.id].terms_id if record.id in stored else None


def _write(states: Sequence[State]) -> None:
    if states:
        Coupon.insert_many(states, fields=COLUMNS).on_conflict(
            conflict_target=[Coupon.id], preserve=COLUMNS[1:]
        ).execute()


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
    content = _marked(coupon.terms.content(), repeat=not live)
    Coupon.update(live=live or None, terms=Terms.of(**content)).where(
        Coupon.id == coupon.id
    ).execute()
    batches.bump(coupon.batch_id)


def _terms_of_batch(offers: Sequence[Offer], stored: Batch | None) -> int:
    before = after = stored.terms.content() if stored else Terms().content()
    for offer in offers:
        after = offer.over(after)
    return stored.terms_id if stored and _same(before, after) else Terms.of(**after).id


def _add_batch(batch_id: int, columns: Mapping[str, Any], listed: int) -> None:
    """Add a batch, counting the coupons of it that the store has by now."""
    count, used = (
        Coupon.select(fn.COUNT(Coupon.id), fn.COALESCE(fn.SUM(Coupon.num_usage), 0))
        .where(Coupon.batch_id == batch_id)
        .tuples()
        .get()
    )
    Batch.create(
        id=batch_id,
        requested=listed,
        made=listed,
        coupons_count=count + columns["carried_count"],
        coupons_used=used + columns["carried_used"],
        **columns,
    )
    tallies.add(tallies.BATCHES, 1)


def _change_batch(
    stored: Batch, columns: Mapping[str, Any], listed: int, grown: Counter[str] | None
) -> Outcome:
    """Change what differs in a batch; `grown` is None where none of its coupons changed."""
    by = grown or Counter()
    made = max(stored.made, listed)
    wanted = {
        **columns,
        "made": made,
        "requested": max(stored.requested, made),
        "coupons_count": stored.coupons_count
        + by["count"]
        + columns["carried_count"]
        - stored.carried_count,
        "coupons_used": stored.coupons_used
        + by["used"]
        + columns["carried_used"]
        - stored.carried_used,
    }
    changes = {
        name: value for name, value in wanted.items() if not _equal(getattr(stored, name), value)
    }
    if changes or grown is not None:
        batches.bump(stored.id, **changes)
    return "changed" if changes else "unchanged"


def _marked(content: Mapping[str, Any], repeat: bool) -> dict[str, Any]:
    return {**content, "extra": _tidy(content["extra"] | {REPEAT: [True] if repeat else []})}


def _tidy(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not empty in one order, so that equal terms are one row."""
    return {name: extra[name] for name in sorted(extra) if extra[name]}


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(_equal(value, other[name]) for name, value in one.items())


def _equal(one: Any, other: Any) -> bool:
    """Tell whether two values are stored alike: Python finds True equal to 1, and any order."""
    if isinstance(one, dict | list) or isinstance(other, dict | list):
        return _text(one) == _text(other)
    return bool(one == other)


def _text(value: Any) -> str:
    import json

    return json.dumps(value)
