"""Read pages of long lists from whichever end is nearer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models.store.prepared import Found

Reading = Callable[..., Found]
"""Reads so many rows of a list: `limit` of them from `offset` on, and values of its own."""


def window(
    newest: Reading, oldest: Reading, total: int, page: int, per_page: int, **values: Any
) -> Found:
    """Return page `page` (counted from 0) of a list of `total` rows, newest first.

    The two readings are the same list in its two orders: a page in the older half is read from the
    old end, so the last page costs what the first does.
    """
    start = page * per_page
    stop = min(start + per_page, total)
    if start >= total:
        return Found(())
    if start <= total - stop:
        return newest(limit=stop - start, offset=start, **values)
    found = oldest(limit=stop - start, offset=total - stop, **values)
    return replace(found, backwards=True)
