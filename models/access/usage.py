"""The usage log of both APIs: who called what, when, from where, and how it went."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from peewee import BigIntegerField, BooleanField, CharField, chunked

from models.access import daily_calls
from models.access.accesses import PAIR_PATTERN, Access
from models.access.daily_calls import Logged
from models.store import counters
from models.store.base import Row, change, database, locked, retried
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
            (("at", "id"), False),
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
        daily_calls.count((Logged(row[0], row[4], row[1], row[6], row[2]) for row in rows), 1)


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


@retried
def prune(before: int) -> int:
    """Delete up to `PRUNED` calls older than this moment and return how many they were.

    Rows that another transaction holds are left out.
    """
    columns = (getattr(ApiUsage, name) for name in Logged._fields)
    oldest = ApiUsage.select(ApiUsage.id, *columns).where(ApiUsage.at < before)
    with change():
        rows = list(locked(oldest.order_by(ApiUsage.at).limit(PRUNED), skip_locked=True).tuples())
        if rows:
            ApiUsage.delete().where(ApiUsage.id.in_([row[0] for row in rows])).execute()
            counters.add(TALLY, -len(rows))
            daily_calls.count((Logged(*row[1:]) for row in rows), -1)
    return len(rows)


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
