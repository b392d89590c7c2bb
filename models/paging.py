"""Pages of long lists, newest first, that cost the same at both ends."""

from __future__ import annotations

from typing import Any


def window(query: Any, key: Any, total: int, page: int, per_page: int) -> list[Any]:
    """Return page `page` (counted from 0) of a query of `total` rows, by `key` descending.

    A page in the older half is read from the old end, so the last page costs what the first does.
    """
    start = page * per_page
    stop = min(start + per_page, total)
    if start >= total:
        return []
    if start <= total - stop:
        return list(query.order_by(key.desc()).offset(start).limit(stop - start))
    older = query.order_by(key.asc()).offset(total - stop).limit(stop - start)
    return list(older)[::-1]
