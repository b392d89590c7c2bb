"""Recount every kept count from the rows themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from typing import Any, NamedTuple

from peewee import JOIN, SQL, Case, fn

from models.access import usage
from models.access.daily_calls import DailyCalls, day_of_column
from models.promotions.batches import Batch
from models.promotions.campaign_counts import COUNTED, Campaign, CampaignBatch
from models.promotions.coupons import ALONE, Coupon
from models.promotions.terms import Terms
from models.redemptions.daily_sums import TAKEN_OFF, DailySum
from models.redemptions.players import Player, PlayerBand, band_of
from models.redemptions.redemption import RELEASED, USED, Redemption, services_of
from models.redemptions.services import ServiceUse
from models.store import counters, visibility
from models.store.base import snapshot
from models.store.idempotency import KeptReply, ReplyShare
from models.store.texts import code_form

BATCHES = 1000
"""Batches that are recounted by one statement."""
ROWS = 50_000
"""Coupons or redemptions that are looked through by one statement."""
LISTS: dict[str, tuple[type[Any], Any]] = {
    counters.BATCHES: (Batch, Batch.realm == visibility.LEGACY),
    counters.COUPONS: (Coupon, Coupon.realm == visibility.LEGACY),
    counters.CAMPAIGN_COUPONS: (Coupon, Coupon.realm != visibility.LEGACY),
    counters.SINGLE_COUPONS: (Coupon, Coupon.batch_id == ALONE),
    usage.TALLY: (usage.ApiUsage, True),
}
"""The rows that each tally counts."""


class Difference(NamedTuple):
    """Name a kept value that is not what its rows say."""

    what: str
    kept: Any
    counted: Any


def size() -> int:
    """Return about how many rows a recount reads."""
    return 2 * counters.coupons_of_all() + Redemption.select().count()


def differences(on_progress: Callable[[int], object] = lambda rows: None) -> Iterator[Difference]:
    """Yield every difference in one state of the store; `on_progress` is told of rows counted."""
    with snapshot():
        yield from _tallies()
        yield from _daily_calls()
        yield from _batches(on_progress)
        yield from _coupons(on_progress)
        yield from _redemptions(on_progress)
        yield from _daily_sums()
        yield from _services()
        yield from _campaigns()
        yield from _replies()


def _tallies() -> Iterator[Difference]:
    for name, (table, which) in LISTS.items():
        kept, counted = counters.count(name), table.select().where(which).count()
        if kept != counted:
            yield Difference(f"tally {name}", kept, counted)


def _daily_calls() -> Iterator[Difference]:
    """Yield the counts of calls of a day that are not those of the log."""
    log = usage.ApiUsage
    day = day_of_column(log.at).alias("day")
    caller = log.api_id, log.call, log.route
    failed = fn.SUM(Case(None, [(log.success == True, 0)], 1))  # noqa: E712  # SQL
    rows: Any = log.select(day, *caller, fn.COUNT(log.id), failed)
    rows = rows.group_by(SQL("day"), *caller)
    counted = {row[:4]: tuple(map(int, row[4:])) for row in rows.tuples().iterator()}
    fields = DailyCalls.day, DailyCalls.api_id, DailyCalls.call, DailyCalls.route
    rows = DailyCalls.select(*fields, DailyCalls.calls, DailyCalls.failed)
    kept = {row[:4]: row[4:] for row in rows.tuples().iterator()}
    for key in sorted(counted | kept):
        pair = kept.get(key, (0, 0)), counted.get(key, (0, 0))
        if pair[0] != pair[1]:
            of_day, api_id, call, route = key
            yield Difference(f"calls of {api_id!r} to {call!r} ({route}) from {of_day}", *pair)


def _batches(on_progress: Callable[[int], object]) -> Iterator[Difference]:
    counts = {
        Batch.coupons_count: fn.COUNT(Coupon.id) + Batch.carried_count,
        Batch.coupons_used: _sum(Coupon.num_usage) + Batch.carried_used,
        Batch.codes_used: fn.COUNT(Case(None, [(Coupon.num_usage > 0, 1)])),
        Batch.made: fn.COUNT(Coupon.id),
    }
    of_batch = Coupon.batch_id == Batch.id
    for ids in _slices(Batch, BATCHES):
        here = Batch.id.between(*ids)
        yield from _compared("batch", Batch.id, counts, Coupon, of_batch, here)
        on_progress(Batch.select(_sum(Batch.made)).where(here).scalar())


def _coupons(on_progress: Callable[[int], object]) -> Iterator[Difference]:
    standing = Redemption.select(services_of(Redemption)).where(
        Redemption.coupon_id == Coupon.id, Redemption.state == USED
    )
    counted = Coupon.imported_usage + standing
    for ids in _slices(Coupon, ROWS):
        here = Coupon.id.between(*ids)
        columns = Coupon.id, Coupon.code, Coupon.num_usage, counted
        wrong: Any = Coupon.select(*columns).where(here, Coupon.num_usage != counted)
        for coupon_id, code, *numbers in wrong.tuples().iterator():
            yield Difference(f"coupon {coupon_id} {code!r} num_usage", *numbers)
        # What came used up but active from elsewhere was left so.
        ended: Any = (
            Coupon.select(Coupon.id, Coupon.code)
            .join(Terms)
            .where(
                here,
                Coupon.active,
                Terms.max_usage > 0,
                Coupon.num_usage >= Terms.max_usage,
                Coupon.num_usage > Coupon.imported_usage,
            )
        )
        for coupon_id, code in ended.tuples().iterator():
            yield Difference(f"coupon {coupon_id} {code!r} active", True, False)
        spelled: Any = Coupon.select(Coupon.id, Coupon.code, Coupon.form).where(
            here, Coupon.form.is_null(False)
        )
        for coupon_id, code, form in spelled.tuples().iterator():
            if form != code_form(code):
                yield Difference(f"coupon {coupon_id} {code!r} form", form, code_form(code))
        on_progress(ROWS)


def _redemptions(on_progress: Callable[[int], object]) -> Iterator[Difference]:
    """Yield redemptions whose `invoice_slot` does not match their state."""
    slot, invoice = Redemption.invoice_slot, Redemption.invoice_id
    unheld = (Redemption.state == USED) & (invoice != 0) & (slot.is_null() | (slot != invoice))
    free = slot.is_null(False) & ((Redemption.state == RELEASED) | (invoice == 0))
    for ids in _slices(Redemption, ROWS):
        wrong: Any = Redemption.select(Redemption.id, slot, invoice, Redemption.state).where(
            Redemption.id.between(*ids), unheld | free
        )
        for redemption_id, kept, invoice_id, state in wrong.tuples().iterator():
            counted = (invoice_id or None) if state == USED else None
            yield Difference(f"redemption {redemption_id} invoice_slot", kept, counted)
        on_progress(ROWS)


def _daily_sums() -> Iterator[Difference]:
    """Yield the sums of days that are not those of the uses that stand."""
    sums = fn.SUM(DailySum.uses), fn.SUM(DailySum.discount)
    both = merge(
        _by_day(0, DailySum.select(DailySum.batch_id, DailySum.day, *sums), DailySum),
        _by_day(
            1,
            Redemption.select(
                Redemption.batch_id, Redemption.day, fn.COUNT(Redemption.id), TAKEN_OFF
            ).where(Redemption.state == USED),
            Redemption,
        ),
    )
    for (batch_id, day), found in groupby(both, lambda row: row[:2]):
        sides = [(0, 0), (0, 0)]
        for *_, side, uses, discount in found:
            sides[side] = uses, discount
        if sides[0] != sides[1]:
            yield Difference(f"sum of batch {batch_id} on {day}", *sides)


def _by_day(side: int, query: Any, table: Any) -> Iterator[tuple[Any, ...]]:
    """Yield batch and day of each sum of a query in their order, its side, uses and discount."""
    key = table.batch_id, table.day
    for batch_id, day, uses, discount in query.group_by(*key).order_by(*key).tuples().iterator():
        yield batch_id, str(day), side, int(uses), int(discount)


def _services() -> Iterator[Difference]:
    of_service = (
        (Redemption.coupon_id == ServiceUse.coupon_id)
        & (Redemption.account_id == ServiceUse.account_id)
        & (Redemption.state == USED)
    )
    counts = {ServiceUse.standing: fn.COUNT(Redemption.id)}
    yield from _compared("service", ServiceUse.id, counts, Redemption, of_service)
    key = Redemption.coupon_id, Redemption.account_id
    lost: Any = (
        Redemption.select(*key, fn.COUNT(Redemption.id))
        .join(ServiceUse, JOIN.LEFT_OUTER, on=of_service)
        .where(Redemption.account_id != 0, Redemption.state == USED, ServiceUse.id.is_null())
        .group_by(*key)
    )
    for coupon_id, account_id, counted in lost.tuples().iterator():
        yield Difference(f"service {account_id} of coupon {coupon_id} standing", 0, counted)


def _campaigns() -> Iterator[Difference]:
    of_batch = Coupon.batch_id == CampaignBatch.batch_id
    yield from _compared("campaign batch", CampaignBatch.batch_id, COUNTED, Coupon, of_batch)
    counts = {
        Campaign.batches: fn.COUNT(CampaignBatch.batch_id),
        Campaign.codes: _sum(CampaignBatch.total),
        Campaign.redeemed: _sum(CampaignBatch.redeemed),
        Campaign.revoked: _sum(CampaignBatch.revoked),
    }
    of_campaign = CampaignBatch.campaign_id == Campaign.id
    yield from _compared("campaign", Campaign.id, counts, CampaignBatch, of_campaign)
    earned = (
        (Redemption.campaign_id == Player.campaign_id)
        & (Redemption.user_id == Player.user_id)
        & (Redemption.state == USED)
    )
    counts = {Player.points: _sum(Redemption.points), Player.events: fn.COUNT(Redemption.id)}
    yield from _compared("player", Player.id, counts, Redemption, earned)
    yield from _bands()


def _bands() -> Iterator[Difference]:
    """Yield the bands whose players are not those that have such points."""
    counted: Counter[tuple[int, int]] = Counter()
    rows: Any = Player.select(Player.campaign_id, Player.points, fn.COUNT(Player.id))
    rows = rows.group_by(Player.campaign_id, Player.points).tuples()
    for campaign_id, points, players in rows.iterator():
        counted[campaign_id, band_of(points)] += players
    fields = PlayerBand.campaign_id, PlayerBand.band, PlayerBand.players
    kept = {row[:2]: row[2] for row in PlayerBand.select(*fields).tuples().iterator()}
    for key in sorted(counted | kept):
        if kept.get(key, 0) != counted[key]:
            what = f"players of campaign {key[0]} in band {key[1]}"
            yield Difference(what, kept.get(key, 0), counted[key])


def _replies() -> Iterator[Difference]:
    """Yield shares whose bytes are not those of the replies that are counted in them."""
    kept: Any = ReplyShare.select(ReplyShare.name, ReplyShare.size).tuples()
    size = _sum(fn.LENGTH(KeptReply.body))
    counted: Any = (
        KeptReply.select(KeptReply.share, size)
        .where(KeptReply.share.is_null(False))
        .group_by(KeptReply.share)
        .tuples()
    )
    kept_of, counted_of = dict(kept), dict(counted)
    for name in sorted(kept_of | counted_of):
        if kept_of.get(name, 0) != counted_of.get(name, 0):
            difference = kept_of.get(name, 0), counted_of.get(name, 0)
            yield Difference(f"reply share {name} size", *difference)


def _compared(
    what: str, key: Any, counts: Mapping[Any, Any], rows: type[Any], on: Any, where: Any = True
) -> Iterator[Difference]:
    """Yield where a value kept in the table of `key` is not what is counted of its `rows`."""
    query: Any = (
        key.model.select(key, *counts, *counts.values())
        .join(rows, JOIN.LEFT_OUTER, on=on)
        .where(where)
        .group_by(key)
        .order_by(key)
    )
    for row_id, *numbers in query.tuples().iterator():
        pairs = zip(counts, numbers[: len(counts)], numbers[len(counts) :], strict=True)
        for column, *values in pairs:
            if values[0] != values[1]:
                yield Difference(f"{what} {row_id} {column.name}", *values)


def _sum(column: Any) -> Any:
    """Return the sum of a column, 0 without a row."""
    return fn.COALESCE(fn.SUM(column), 0)


def _slices(table: type[Any], rows: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last id of every run of so many rows; ids may have wide gaps."""
    last = 0
    while True:
        ids = table.select(table.id).where(table.id > last).order_by(table.id)
        first = ids.limit(1).scalar()
        if first is None:
            return
        last = ids.offset(rows - 1).limit(1).scalar() or table.select(fn.MAX(table.id)).scalar()
        yield first, last
