"""Uses and discounts of each day, kept in the transaction of the use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from peewee import BigIntegerField, DateField, IntegerField, SmallIntegerField, fn

from models.promotions.coupons import ALONE
from models.redemptions.redemption import USED, Redemption
from models.store.base import Row
from models.store.prepared import Prepared, slot

UNITS = 10_000
"""Parts of the currency that sums are kept in: amounts have 4 decimals at most."""
SHARES = 16
"""How many rows the single coupons have a day: one for all would make their uses wait in line."""


class DailySum(Row):
    """Keep how many uses of a batch's codes stand of a day, and what they took off in UNITS.

    Days are those of the installation when the use was made. The coupons without a batch are
    spread over `share`; each row alone says nothing, their sum does.
    """

    batch_id = IntegerField()
    day = DateField()
    share = SmallIntegerField(default=0)
    uses = BigIntegerField(default=0)
    discount = BigIntegerField(default=0)

    class Meta:
        indexes = ((("batch_id", "day", "share"), True), (("day",), False))


class Sum(NamedTuple):
    """Hold uses that stand and what they took off."""

    uses: int = 0
    discount: Decimal = Decimal(0)


def count(use: Redemption, sign: int) -> None:
    """Count a use in the sum of its day (1), or take it off again (-1)."""
    off = (use.discount or Decimal(0)) + (use.setup_discount or Decimal(0))
    values = {
        "batch_id": use.batch_id,
        "day": use.day,
        "share": use.coupon_id % SHARES if use.batch_id == ALONE else 0,
        "uses": sign,
        "discount": sign * int(off * UNITS),
    }
    if _raise.changed(**values) or _insert.changed(**values):
        return
    _raise.changed(**values)  # the day's first two uses came at once


def of_day(since: date, until: date, batch_id: int | None = None) -> dict[date, Sum]:
    """Return the sums by day, both days included; of a batch or of all codes."""
    here = _days(since, until, batch_id)
    found = _summed(DailySum.day).where(here).group_by(DailySum.day).tuples()
    return {day: _sum(*numbers) for day, *numbers in found}


def of_batches(ids: Sequence[int], since: date, until: date) -> dict[int, dict[date, int]]:
    """Return the uses of each batch by day, both days included."""
    found: dict[int, dict[date, int]] = {batch_id: {} for batch_id in ids}
    rows: Any = DailySum.select(DailySum.batch_id, DailySum.day, fn.SUM(DailySum.uses)).where(
        DailySum.batch_id.in_(ids), DailySum.day.between(since, until)
    )
    for batch_id, day, uses in rows.group_by(DailySum.batch_id, DailySum.day).tuples():
        found[batch_id][day] = int(uses)
    return found


def total(since: date, until: date, batch_id: int | None = None) -> Sum:
    """Return the sum of some days, both included; of a batch or of all codes."""
    return _sum(*_summed().where(_days(since, until, batch_id)).tuples().get())


def of_redemptions(conditions: Sequence[Any]) -> Sum:
    """Return the sum of the standing uses that meet conditions, from their rows: of a few."""
    query: Any = Redemption.select(fn.COUNT(Redemption.id), TAKEN_OFF)
    return _sum(*query.where(Redemption.state == USED, *conditions).tuples().get())


def _units(column: Any) -> Any:
    """Return an amount, which is kept as text, in UNITS."""
    return fn.ROUND(fn.COALESCE(column.cast("DECIMAL(30,4)"), 0) * UNITS)


TAKEN_OFF = fn.SUM(_units(Redemption.discount) + _units(Redemption.setup_discount))
"""What redemptions took off in UNITS; None without a row."""


def _days(since: date, until: date, batch_id: int | None) -> Any:
    here = DailySum.day.between(since, until)
    return here if batch_id is None else here & (DailySum.batch_id == batch_id)


def _summed(*columns: Any) -> Any:
    return DailySum.select(*columns, fn.SUM(DailySum.uses), fn.SUM(DailySum.discount))


def _sum(uses: Any, discount: Any) -> Sum:
    return Sum(int(uses or 0), Decimal(int(discount or 0)) / UNITS)


_ONE = (
    DailySum.batch_id == slot("batch_id"),
    DailySum.day == slot("day"),
    DailySum.share == slot("share"),
)
_raise = Prepared(
    lambda: DailySum.update(
        uses=DailySum.uses + slot("uses"), discount=DailySum.discount + slot("discount")
    ).where(*_ONE)
)
_insert = Prepared(
    lambda: (
        DailySum.insert(
            {field.name: slot(field.name) for field in DailySum._meta.sorted_fields[1:]}
        )
        .on_conflict_ignore()
        .as_rowcount()
    )
)
