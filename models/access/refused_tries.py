"""Codes that were tried and refused, in both APIs: what support is asked about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from peewee import BigIntegerField, CharField, IntegerField, SmallIntegerField, chunked

from models.campaigns import campaign_codes
from models.promotions import coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.redemptions.players import USER_LENGTH
from models.store.base import Row, change, delete_oldest, retried
from models.store.errors import NotFound

LEGACY, REST = 0, 1
"""The faces: which API was asked."""
OVER_QUOTA = "over_quota"
"""The reason of the one row of a day that counts what is over the quota."""
PRUNED = 1000
DAY_SECONDS = 86_400
MASK = "…"
SHOWN = 2
"""Characters of an unknown code that are kept at either end."""
ROWS = 100


class RefusedTry(Row):
    """Keep a use or a look-up of a code that was refused; `at` is Unix seconds.

    A code that there is has its coupon; of one that there is not only the ends are kept, as it may
    be another one mistyped. `times` is more than 1 in the row of what is over a day's quota.
    """

    at = BigIntegerField()
    face = SmallIntegerField()
    call = CharField(max_length=64)
    code = CharField(max_length=32)
    coupon_id = IntegerField(default=0)
    reason = CharField(max_length=64)
    client_id = IntegerField(default=0)
    user_id = CharField(max_length=USER_LENGTH, default="")
    invoice_id = IntegerField(default=0)
    order_id = IntegerField(default=0)
    who = CharField(max_length=128, default="")
    address = CharField(max_length=64, default="")
    times = IntegerField(default=1)

    class Meta:
        indexes = (
            (("at",), False),
            (("coupon_id", "id"), False),
            (("client_id", "id"), False),
            (("reason", "id"), False),
        )


class Try(NamedTuple):
    """Hold a refused try until it is written; `owner` is whose codes the REST API looked at."""

    at: int
    call: str
    code: str
    reason: str
    client_id: int = 0
    user_id: str = ""
    invoice_id: int = 0
    order_id: int = 0
    who: str = ""
    address: str = ""
    owner: Owner | None = None


def write(tries: Sequence[Try], most_a_day: int) -> None:
    """Store tries; what is over the quota of a day (UTC) is counted in one row of it."""
    rows: list[dict[str, Any]] = []
    over: Counter[int] = Counter()
    left: dict[int, int] = {}
    for each in tries:
        day = each.at - each.at % DAY_SECONDS
        if day not in left:
            left[day] = max(0, most_a_day - _stored(day))
        if left[day]:
            left[day] -= 1
            rows.append(_row(each))
        else:
            over[day] += 1
    _store(rows, over)


def of_coupon(coupon_id: int, most: int) -> list[RefusedTry]:
    """Return the newest refused tries of a code, so many at most."""
    query = RefusedTry.select().where(RefusedTry.coupon_id == coupon_id)
    return list(query.order_by(RefusedTry.id.desc()).limit(most))


def masked(code: str) -> str:
    """Return the ends of a code that there is not."""
    text = code.strip()
    if len(text) <= 4 * SHOWN:
        return text[:1] + MASK
    return text[:SHOWN] + MASK + text[-SHOWN:]


@retried
def prune(before: int) -> int:
    """Delete up to `PRUNED` tries older than this moment and return how many they were."""
    with change():
        return delete_oldest(RefusedTry, RefusedTry.at, before, PRUNED)


def _stored(day: int) -> int:
    """Return how many rows there are of the day that begins at this moment."""
    return int(RefusedTry.select().where(RefusedTry.at.between(day, day + DAY_SECONDS - 1)).count())


def _row(each: Try) -> dict[str, Any]:
    coupon = _coupon(each)
    named = each._asdict()
    named.pop("owner")
    return named | {
        "face": LEGACY if each.owner is None else REST,
        "code": masked(each.code),
        "coupon_id": coupon.id if coupon else 0,
        "user_id": each.user_id[:USER_LENGTH],
    }


def _coupon(each: Try) -> Coupon | None:
    if each.owner is not None:
        found = campaign_codes.find(each.owner, each.code)
        return found.coupon if found else None
    try:
        return coupons.by_code(each.code)
    except NotFound:
        return None


@retried
def _store(rows: Sequence[dict[str, Any]], over: Counter[int]) -> None:
    with change():
        for some in chunked(rows, ROWS):
            RefusedTry.insert_many(some).execute()
        for day, times in over.items():
            which = (RefusedTry.reason == OVER_QUOTA) & (RefusedTry.at == day)
            if not RefusedTry.update(times=RefusedTry.times + times).where(which).execute():
                RefusedTry.create(
                    at=day, face=LEGACY, call="", code="", reason=OVER_QUOTA, times=times
                )
