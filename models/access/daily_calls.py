"""Calls of each day by caller, call and route, kept in the transaction that writes the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from peewee import BigIntegerField, Case, CharField, Expression, fn

from models.store.base import Row, database
from models.store.prepared import Prepared, slot

DAY_SECONDS = 86_400


class DailyCalls(Row):
    """Keep how often a caller made a call on a day, and how many of these were refused.

    `day` is when the day (UTC) begins, `last` when the newest was made, both in Unix seconds.
    """

    day = BigIntegerField()
    api_id = CharField(max_length=128)
    call = CharField(max_length=64)
    route = CharField(max_length=16)
    calls = BigIntegerField(default=0)
    failed = BigIntegerField(default=0)
    last = BigIntegerField(default=0)

    class Meta:
        indexes = ((("day", "api_id", "call", "route"), True),)


class Calls(NamedTuple):
    """Hold how often one caller made one call; `last` is when, in Unix seconds."""

    api_id: str
    call: str
    route: str
    calls: int
    failed: int
    last: int


class Logged(NamedTuple):
    """Hold what is counted of one row of the log."""

    at: int
    api_id: str
    call: str
    route: str
    success: bool


def day_of(at: int) -> int:
    """Return when the day (UTC) of a moment begins."""
    return at - at % DAY_SECONDS


def day_of_column(moment: Any) -> Any:
    """Return when the day (UTC) of a column's moment begins, as SQL."""
    return Expression(moment, database.whole_division, DAY_SECONDS) * DAY_SECONDS


def count(rows: Iterable[Logged], sign: int) -> None:
    """Count rows that are written to the log (1), or take off those that are deleted (-1)."""
    calls: Counter[tuple[int, str, str, str]] = Counter()
    failed: Counter[tuple[int, str, str, str]] = Counter()
    last: dict[tuple[int, str, str, str], int] = {}
    for row in rows:
        key = day_of(row.at), row.api_id, row.call, row.route
        calls[key] += 1
        failed[key] += not row.success
        last[key] = max(row.at, last.get(key, 0))
    for key in sorted(calls):  # in one order, so that no two processes wait for each other
        values = {
            **dict(zip(("day", "api_id", "call", "route"), key, strict=True)),
            "calls": sign * calls[key],
            "failed": sign * failed[key],
            "last": last[key],
        }
        if not (_raise.changed(**values) or _insert.changed(**values)):
            _raise.changed(**values)  # another process made the row meanwhile
    if sign < 0:
        days = {day for day, *_ in calls}
        DailyCalls.delete().where(DailyCalls.day.in_(days), DailyCalls.calls == 0).execute()


def summary(since: int, most: int) -> list[Calls]:
    """Return the calls since a day by caller, call and route: the most frequent ones.

    The day of this moment (UTC) counts as a whole.
    """
    key = DailyCalls.api_id, DailyCalls.call, DailyCalls.route
    times = fn.SUM(DailyCalls.calls)
    query: Any = (
        DailyCalls.select(*key, times, fn.SUM(DailyCalls.failed), fn.MAX(DailyCalls.last))
        .where(DailyCalls.day >= day_of(since))
        .group_by(*key)
        .order_by(times.desc(), *key)
        .limit(most)
    )
    return [Calls(*row[:3], *map(int, row[3:])) for row in query.tuples()]


_raise = Prepared(
    lambda: DailyCalls.update(
        calls=DailyCalls.calls + slot("calls"),
        failed=DailyCalls.failed + slot("failed"),
        # The larger of both, in words that every engine has.
        last=Case(None, [(DailyCalls.last < slot("last"), slot("last"))], DailyCalls.last),
    ).where(
        DailyCalls.day == slot("day"),
        DailyCalls.api_id == slot("api_id"),
        DailyCalls.call == slot("call"),
        DailyCalls.route == slot("route"),
    )
)
_insert = Prepared(
    lambda: (
        DailyCalls.insert(
            {field.name: slot(field.name) for field in DailyCalls._meta.sorted_fields[1:]}
        )
        .on_conflict_ignore()
        .as_rowcount()
    )
)
