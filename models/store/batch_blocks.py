"""Blocks of batches: how many the legacy dialect sees among each so many ids.

A far page of their list begins where the counts of whole blocks lead, and a short way on in the
index.
"""

from __future__ import annotations

from typing import Any

from peewee import IntegerField, fn

from models.store import counters
from models.store.base import Row
from models.store.prepared import Prepared, slot

SIZE = 512
"""The ids of a block, a power of two. Migration 0005 counts by it: another size needs one more."""
WORTH = SIZE // 2
"""Batches that must be passed by a question for their blocks; the index passes fewer as quickly."""
LAST_ID = 2**63 - 1


class BatchBlock(Row):
    """Keep the count of one block; without a row it is none."""

    id = None
    first_id = IntegerField(primary_key=True)
    n = IntegerField(default=0)


def first_of(batch_id: Any) -> Any:
    """Return the first id in the block of a batch; of a column, what says so in SQL."""
    return batch_id & -SIZE if isinstance(batch_id, int) else batch_id.bin_and(-SIZE)


def count(batch_id: int, sign: int) -> None:
    """Count a batch that was added (1) or deleted (-1): in the tally of all and in its block."""
    counters.add(counters.BATCHES, sign)
    # Who counts holds the tally until the end, so no other transaction makes the same block.
    here = BatchBlock.first_id == first_of(batch_id)
    if not BatchBlock.update(n=BatchBlock.n + sign).where(here).execute():
        BatchBlock.create(first_id=first_of(batch_id), n=sign)


def passed(offset: int, newest: bool) -> tuple[int, int]:
    """Return the id from which a list goes on after whole blocks, and the offset left from there.

    The newest list goes down from it, the oldest up; an offset below SIZE asks nothing.
    """
    # Outside a snapshot, blocks and rows may be of different moments. Then the page is off by as
    # many batches as came or went between, as if it had been asked for before or after; what is
    # left of the offset is counted in rows, whatever blocks those are in.
    edge = LAST_ID if newest else 0
    found = SIZE
    while offset >= SIZE and found >= WORTH:
        # No block holds more than SIZE, so these are passed whole. They hold less where ids have
        # gaps: then it is asked again, until the rest is short or blocks are nearly empty.
        found, last = _SUMS[newest].first(edge=edge, limit=offset // SIZE) or (None, None)
        if found is None or found > offset:
            break
        edge = last - 1 if newest else last + SIZE
        offset -= int(found)
    return edge, offset


def _sum(newest: bool) -> Prepared:
    first, edge = BatchBlock.first_id, slot("edge")

    def build() -> Any:
        beyond = first <= edge if newest else first >= edge
        order = first.desc() if newest else first.asc()
        some = BatchBlock.select(first, BatchBlock.n).where(beyond).order_by(order)
        some = some.limit(slot("limit"))
        last = (fn.MIN if newest else fn.MAX)(some.c.first_id)
        return BatchBlock.select(fn.SUM(some.c.n), last).from_(some)

    return Prepared(build)


_SUMS = {newest: _sum(newest) for newest in (True, False)}
