"""Pages of long lists, newest first, that cost the same at both ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from models.prepared import Found, Prepared


def window(
    newest: Prepared, oldest: Prepared, total: int, page: int, per_page: int, **values: Any
) -> Found:
    """Return page `page` (counted from 0) of a list of `total` rows, newest first.

    The two queries are the same list in its two orders, with slots `limit` and `offset`: a page
    in the older half is read from the old end, so the last page costs what the first does.
    """
    start = page * per_page
    stop = min(start + per_page, total)
    if start >= total:
        return Found(())
    if start <= total - stop:
        return newest.found(limit=stop - start, offset=start, **values)
    found = oldest.found(limit=stop - start, offset=total - stop, **values)
    return replace(found, backwards=True)
