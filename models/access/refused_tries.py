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
from models.store.base import Row, change, delete_oldest, locked, retried
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
ALL, GUESSES = "all", "guesses"
"""Shares of a day's quota. Tries of codes that there are not have half of it, so that who guesses
hides no try of a code that there is, and each caller's a quarter."""


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
            (("at", "id"), False),
            (("coupon_id", "at", "id"), False),
            (("client_id", "at", "id"), False),
            (("user_id", "at", "id"), False),
            (("reason", "at", "id"), False),
        )


class RefusedQuota(Row):
    """Keep how many tries of a day are kept, in all and of each share of it.

    The row of all is locked before the others are read. `day` is when it begins (UTC).
    """

    day = BigIntegerField()
    share = CharField(max_length=160)
    kept = IntegerField(default=0)

    class Meta:
        indexes = ((("day", "share"), True),)


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
    days: dict[int, list[dict[str, Any]]] = {}
    for each in tries:
        days.setdefault(each.at - each.at % DAY_SECONDS, []).append(_row(each))
    for day in sorted(days):
        _store(day, days[day], most_a_day)


def of_coupon(coupon_id: int, most: int) -> list[RefusedTry]:
    """Return the newest refused tries of a code, so many at most."""
    query = RefusedTry.select().where(RefusedTry.coupon_id == coupon_id)
    return list(query.order_by(RefusedTry.at.desc(), RefusedTry.id.desc()).limit(most))


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
        RefusedQuota.delete().where(RefusedQuota.day < before - DAY_SECONDS).execute()
        return delete_oldest(RefusedTry, RefusedTry.at, before, PRUNED)


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
def _store(day: int, rows: Sequence[dict[str, Any]], most: int) -> None:
    """Store as many tries of a day as its quota and their shares of it leave room for."""
    with change():
        kept = _held(day)
        new: Counter[str] = Counter()
        stored = []
        for row in rows:
            shares = _shares(row, most)
            if all(kept[share] + new[share] < limit for share, limit in shares.items()):
                new.update(shares.keys())
                stored.append(row)
        for some in chunked(stored, ROWS):
            RefusedTry.insert_many(some).execute()
        for share, times in new.items():
            _add(RefusedQuota, {"day": day, "share": share}, RefusedQuota.kept, times)
        if over := len(rows) - len(stored):
            which = {"at": day, "face": LEGACY, "call": "", "code": "", "reason": OVER_QUOTA}
            _add(RefusedTry, which, RefusedTry.times, over)


def _held(day: int) -> Counter[str]:
    """Lock what is kept of a day until the transaction ends, and return it by share."""
    of_day = RefusedQuota.day == day
    RefusedQuota.insert(day=day, share=ALL).on_conflict_ignore().execute()
    locked(RefusedQuota.select().where(of_day, RefusedQuota.share == ALL)).get()
    rows: Any = RefusedQuota.select(RefusedQuota.share, RefusedQuota.kept).where(of_day)
    return Counter(dict(rows.tuples()))


def _shares(row: dict[str, Any], most: int) -> dict[str, int]:
    """Return how many tries each share has room for that this one falls into."""
    if row["coupon_id"]:
        return {ALL: most}
    return {ALL: most, GUESSES: -(-most // 2), f"{GUESSES} of {row['who']}": -(-most // 4)}


def _add(table: type[Row], which: dict[str, Any], column: Any, times: int) -> None:
    """Add to a count of the row that is like this, or make it; the day is locked."""
    same = [getattr(table, name) == value for name, value in which.items()]
    if not table.update({column: column + times}).where(*same).execute():
        table.create(**which, **{column.name: times})
