"""Pages of long lists, newest first, that cost the same at both ends."""

from __future__ import annotations

from typing import Any

from models.prepared import Prepared


def window(
    newest: Prepared, oldest: Prepared, total: int, page: int, per_page: int, **values: Any
) -> list[tuple[Any, ...]]:
    """Return page `page` (counted from 0) of a list of `total` rows, newest first.

    The two queries are the same list in its two orders, with slots `limit` and `offset`: a page
    in the older half is read from the old end, so the last page costs what the first does.
    """
    start = page * per_page
    stop = min(start + per_page, total)
    if start >= total:
        return []
    if start <= total - stop:
        return newest.many(limit=stop - start, offset=start, **values)
    return oldest.many(limit=stop - start, offset=total - stop, **values)[::-1]
