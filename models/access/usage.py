"""The usage log of both APIs: who called what, when, from where, and how it went."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from peewee import SQL, BigIntegerField, BooleanField, Case, CharField, chunked, fn

from models.access.accesses import PAIR_PATTERN, Access
from models.store import counters
from models.store.base import Row, change, database, delete_oldest, retried
from models.store.prepared import PagedQuery

TALLY = "api_usage"
PRUNED = 500
"""How many rows one `prune` deletes at most: others write between two of them."""
ROWS = 1000
"""How many rows one INSERT brings."""
MESSAGE_LENGTH = 255
CALL_LENGTH = 64
"""No call has a longer name."""
COLUMNS = ("at", "call", "success", "message", "api_id", "address", "route")
LOCAL = "local"
"""The route of a call that is answered here."""

_ADDRESS = re.compile(r"[0-9A-Za-z:.%_/-]{1,64}")
_IDS_ASKED = 500


class ApiUsage(Row):
    """Keep one call of an API, or how many there were without a right key.

    `call` is empty for one that does not exist, but for proven callers (`call_names`), and
    `api_id` for one that does not. In the REST API these are method and path (POST
    /campaigns/{slug}/redeem) and `of_secret`. `message` is the first error, the key of a refusal
    or the number of calls, never a value that a client sent. `address` is an IPv6 network where
    calls were counted. `route` says who answered, `LOCAL` or how it went to a panel. `at` is Unix
    seconds.
    """

    at = BigIntegerField()
    call = CharField(max_length=CALL_LENGTH)
    success = BooleanField()
    message = CharField(max_length=MESSAGE_LENGTH)
    api_id = CharField(max_length=128)
    address = CharField(max_length=64)
    route = CharField(max_length=16, default=LOCAL)

    class Meta:
        indexes = (
            # With all that a summary reads: it need not look up a row.
            (("at", "id", "api_id", "call", "route", "success"), False),
            (("api_id", "at", "id"), False),
            (("call", "at", "id"), False),
        )


def of_secret(secret_id: int) -> str:
    """Return what stands for a secret in the place of an API ID, which never has a blank."""
    return f"secret {secret_id}"


class Entry(NamedTuple):
    """Hold one call before it is written.

    `message` is empty for a success. `proven` says that the key fitted the api_id.
    """

    at: int
    call: str
    message: str
    api_id: str
    proven: bool
    address: str
    route: str = LOCAL


def identified(entries: Sequence[Entry]) -> list[Entry]:
    """Return calls without any api_id that does not exist.

    It may be a secret that was sent in the wrong place.
    """
    known = _existing({entry.api_id for entry in entries if not entry.proven})
    return [
        entry if entry.proven or entry.api_id in known else entry._replace(api_id="")
        for entry in entries
    ]


@retried
def write(entries: Sequence[Entry]) -> None:
    """Store calls in one transaction; those without a right key must be `identified`."""
    rows = [
        (
            entry.at,
            entry.call,
            not entry.message,
            entry.message[:MESSAGE_LENGTH],
            entry.api_id,
            entry.address if _ADDRESS.fullmatch(entry.address) else "",
            entry.route,
        )
        for entry in entries
    ]
    sql, row = _insert()
    with change():
        # Few large statements: the thread that writes must fight for the GIL after each.
        for some in chunked(rows, ROWS):
            database.execute_sql(sql + row * (len(some) - 1), list(chain.from_iterable(some)))
        counters.add(TALLY, len(rows))


def total(api_id: str | None = None, call: str | None = None) -> int:
    """Return how many calls are in the log, of one access or call where it is named."""
    if api_id is None and call is None:
        return counters.count(TALLY)
    return int(_filtered(api_id, call).count())


def newest(
    page: int, per_page: int, api_id: str | None = None, call: str | None = None
) -> list[tuple[Any, ...]]:
    """Return a page of calls, newest first, pages counted from 0.

    Rows are (id, at, call, success, message, api_id, address, route).
    """
    listing = PagedQuery(lambda: _filtered(api_id, call), ApiUsage.at, ApiUsage.id)
    return listing.page(total(api_id, call), page, per_page).rows()


class Calls(NamedTuple):
    """Hold how often one caller made one call; `last` is when, in Unix seconds."""

    api_id: str
    call: str
    route: str
    calls: int
    failed: int
    last: int


def summary(since: int, most: int) -> list[Calls]:
    """Return the calls from this moment on by caller, call and route: the most frequent ones."""
    count = fn.COUNT(ApiUsage.id)
    failed = fn.SUM(Case(None, [(ApiUsage.success == True, 0)], 1))  # noqa: E712  # SQL
    # Not the column itself: SQLite would read all of its index to save itself the grouping.
    caller = fn.COALESCE(ApiUsage.api_id, "").alias("caller")
    group = SQL("caller"), ApiUsage.call, ApiUsage.route
    query: Any = (
        ApiUsage.select(caller, *group[1:], count, failed, fn.MAX(ApiUsage.at))
        .where(ApiUsage.at >= since)
        .group_by(*group)
        .order_by(count.desc(), *group)
        .limit(most)
    )
    return [Calls(*row[:3], *map(int, row[3:])) for row in query.tuples()]


@retried
def prune(before: int) -> int:
    """Delete up to `PRUNED` calls older than this moment and return how many they were."""
    with change():
        deleted = delete_oldest(ApiUsage, ApiUsage.at, before, PRUNED)
        counters.add(TALLY, -deleted)
    return deleted


def _insert() -> tuple[str, str]:
    """Return the statement that inserts one row, and the text for each further row."""
    sql, _ = ApiUsage.insert(dict.fromkeys(COLUMNS)).returning().sql()
    return sql, ", " + sql[sql.rindex("(") :]


def _existing(ids: Iterable[str]) -> set[str]:
    """Return those of the ids that accesses have."""
    possible = [api_id for api_id in ids if PAIR_PATTERN.fullmatch(api_id)]
    found: set[str] = set()
    for some in chunked(possible, _IDS_ASKED):
        query: Any = Access.select(Access.api_id).where(Access.api_id.in_(some))
        found.update(api_id for (api_id,) in query.tuples())
    return found


def _filtered(api_id: str | None, call: str | None) -> Any:
    query = ApiUsage.select()
    if api_id is not None:
        query = query.where(ApiUsage.api_id == api_id)
    if call is not None:
        query = query.where(ApiUsage.call == call)
    return query
