"""Pages of long lists by the id of a row: as fast at the end as at the beginning."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import request

ROWS = 50
"""Rows of a page."""
LARGEST = 2**63 - 1


class KeysetPage(NamedTuple):
    """Hold rows, newest first, and the addresses' arguments that lead to newer and older ones."""

    rows: list[Any]
    newer: dict[str, int] | None
    older: dict[str, int] | None


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
    upwards = at.after is not None
    if upwards:
        query = query.where(key > at.after).order_by(key)
    else:
        if at.before is not None:
            query = query.where(key < at.before)
        query = query.order_by(key.desc())
    rows = list(query.limit(most + 1))
    more, rows = len(rows) > most, rows[:most]
    if upwards:
        rows.reverse()
    return page_from(rows, key.name, at, more)


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
