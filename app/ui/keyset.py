"""Pages of long lists by the id of a row: as fast at the end as at the beginning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from flask import request

ROWS = 50
"""Rows of a page."""
LARGEST = 2**63 - 1


class KeysetPage(NamedTuple):
    """Hold rows, newest first, and the addresses' arguments that lead to newer and older ones.

    `reached` is the moment back to which a look went that ended before the page was full.
    """

    rows: list[Any]
    newer: Mapping[str, int | str] | None
    older: Mapping[str, int | str] | None
    reached: int | None = None


class Place(NamedTuple):
    """Hold where a page begins: rows with ids under `before`, or over `after`."""

    before: int | None = None
    after: int | None = None


def place() -> Place:
    """Return the place that the address of this request names; nonsense is the beginning."""
    return Place(_number("before"), _number("after"))


def page_of(query: Any, key: Any, at: Place | None = None, most: int = ROWS) -> KeysetPage:
    """Return a page of a query, newest first by its key, an indexed column of ids.

    One row more than the page is read to know whether another follows; nothing is counted.
    """
    at = place() if at is None else at
    rows = list(_placed(query, key, at, most + 1))
    more, rows = len(rows) > most, rows[:most]
    if at.after is not None:
        rows.reverse()
    return page_from(rows, key.name, at, more)


def page_of_all(
    queries: Iterable[Any], key: Any, at: Place | None = None, most: int = ROWS
) -> KeysetPage:
    """Return a page of what several queries of the key alone find, none the row of another."""
    at = place() if at is None else at
    upwards = at.after is not None
    ids = sorted(
        (row for query in queries for (row,) in _placed(query, key, at, most + 1).tuples()),
        reverse=not upwards,
    )
    more = len(ids) > most
    rows = list(key.model.select().where(key.in_(ids[:most])).order_by(key.desc()))
    return page_from(rows, key.name, at, more)


def _placed(query: Any, key: Any, at: Place, most: int) -> Any:
    """Return the query of the rows that come next, so many at most."""
    if at.after is not None:
        query = query.where(key > at.after).order_by(key)
    else:
        if at.before is not None:
            query = query.where(key < at.before)
        query = query.order_by(key.desc())
    return query.limit(most)


def page_from(rows: list[Any], name: str, at: Place, more: bool) -> KeysetPage:
    """Return the page that rows, newest first, are; `more` says whether others follow."""
    if not rows:
        return KeysetPage(rows, None, None)
    first, last = (getattr(row, name) for row in (rows[0], rows[-1]))
    upwards = at.after is not None
    return KeysetPage(
        rows,
        {"after": first} if (more if upwards else at.before is not None) else None,
        {"before": last} if (more or upwards) else None,
    )


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        return None
    return min(int(text), LARGEST)
