"""Pages of logs by the moment of a row: a bounded look each, however long the log is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from flask import request

from app.ui.filters import narrowed
from app.ui.keyset import ROWS, KeysetPage

LOOKED = 5000
"""Rows that one page looks at, of those that an index finds, for what its other filters want."""
CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})", re.ASCII)


def page_of(
    moment: Any, found: Sequence[Any], wanted: Sequence[Any] = (), most: int = ROWS
) -> KeysetPage:
    """Return a page of a log, newest first by `moment`, a column that an index has with the id.

    `found` are conditions that this index begins with, and of the moment itself; `wanted` are all
    others. A page for which so many rows were looked at in vain says how far back it looked.
    """
    table = moment.model
    found = [*found, *_below(moment)]
    reached = narrowed(table.select(table.id, moment), found)
    reached = reached.order_by(moment.desc(), table.id.desc())
    query = table.select()
    if wanted:
        looked = reached.limit(LOOKED).alias("looked")
        query = query.join(looked, on=table.id == looked.c.id).where(*wanted)
    else:
        query = narrowed(query, found)
    rows = list(query.order_by(moment.desc(), table.id.desc()).limit(most + 1))
    if len(rows) > most:
        rows = rows[:most]
        return KeysetPage(rows, None, _cursor(getattr(rows[-1], moment.name), rows[-1].id))
    last = reached.offset(LOOKED - 1).limit(1).tuples().first() if wanted else None
    if last is None:
        return KeysetPage(rows, None, None)
    row_id, at = last
    return KeysetPage(rows, None, _cursor(at, row_id), at)


def _cursor(at: int, row_id: int) -> dict[str, str]:
    return {"older": f"{at}.{row_id}"}


def _below(moment: Any) -> list[Any]:
    """Return what rows older than the page before must meet, as the address names its last one."""
    given = CURSOR.fullmatch(request.args.get("older", ""))
    if given is None:
        return []
    at, row_id = int(given[1]), int(given[2])
    # The first bound is what the index is read by.
    return [moment <= at, (moment < at) | (moment.model.id < row_id)]
