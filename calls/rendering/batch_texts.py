"""Render batches with all their coupons, from the fragment cache or in groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from datetime import tzinfo

from calls.rendering import row_texts
from calls.rendering.fragments import Fragments
from calls.wire import schemas
from models.promotions import batches, coupons
from models.store import base
from models.store.prepared import Found

GROUP_COUPONS = 2000
"""How many coupons are read at once: enough to save statements, few enough to stream."""
FEW_COUPONS = 12
"""Batches of so few coupons are put together: handing on each would cost more than a copy."""

COUPON_COLUMNS = row_texts.columns(schemas.Coupon)
BATCH_COLUMNS = (*row_texts.columns(schemas.Batch), "revision")
BATCH_ID = COUPON_COLUMNS.index("batch_id")
CUT = "\0"
"""Marks the place of the coupons where a batch is sent in pieces; no JSON text holds it."""


def texts(
    found: Found, zone: tzinfo, kept: Fragments, place: Hashable
) -> Iterator[bytes | Iterator[bytes]]:
    """Yield the text of each batch in turn, a large one in pieces, or all of them as one text.

    `found` has the id, revision and number of coupons of each. All of them are kept under the
    `place` that their page has, so that the next one there takes their room. Each is of one state
    of the store; a batch that was deleted meanwhile is left out.
    """
    whole = kept.made_of(place, found)
    if whole is not None:
        yield whole
        return
    ids, revisions, counts = found.columns() or ([], [], [])
    texts = kept.find([*zip(ids, revisions, strict=True)])
    known = [text for text in texts if text is not None]
    if texts and len(known) == len(texts) and kept.takes(sum(map(len, known))):
        yield kept.put(place, b",".join(known), found)
        return
    group: list[int] = []
    size = 0
    for batch_id, coupons_count, text in zip(map(int, ids), map(int, counts), texts, strict=True):
        if group and (text is not None or size + coupons_count > GROUP_COUPONS):
            yield from _rendered(group, zone, kept)
            group, size = [], 0
        if text is not None:
            yield text
        elif coupons_count > GROUP_COUPONS:
            yield _pieces(batch_id, zone)
        else:
            group.append(batch_id)
            size += coupons_count
    if group:
        yield from _rendered(group, zone, kept)


def _rendered(ids: Sequence[int], zone: tzinfo, kept: Fragments) -> Iterator[bytes]:
    """Keep the text of each of these batches and yield it; small ones come as one text."""
    with base.snapshot():
        heads = batches.texts(BATCH_COLUMNS, ids)
        held = coupons.of_batches(COUPON_COLUMNS, ids)
    if not heads:
        return
    sizes = Counter(held[BATCH_ID] if held else ())
    inside = dict(zip(sizes, row_texts.lists(schemas.Coupon, held, sizes.values()), strict=True))
    *columns, revisions, terms_ids = heads
    insides = [inside.get(batch_id, ()) for batch_id in columns[0]]
    wholes = row_texts.texts(schemas.Batch, [*columns, insides, terms_ids], zone)
    few = sizes.total() <= FEW_COUPONS * len(revisions) and len(revisions) > 1
    if few and not kept.most_bytes:  # nobody wants them apart
        yield ",".join(wholes).encode()
        return
    keys = zip(columns[0], revisions, strict=True)
    texts = (kept.put(key, whole.encode()) for key, whole in zip(keys, wholes, strict=True))
    if few:
        yield b",".join(texts)
    else:
        yield from texts


def _pieces(batch_id: int, zone: tzinfo) -> Iterator[bytes]:
    """Yield a batch of many coupons in pieces: the whole would be too much to hold."""
    with base.snapshot():
        heads = batches.texts(BATCH_COLUMNS, [batch_id])
        if not heads:
            return
        *columns, _, terms_ids = heads
        [whole] = row_texts.texts(schemas.Batch, [*columns, [[CUT]], terms_ids], zone)
        head, tail = whole.split(CUT)
        yield head.encode()
        separator = ""
        for held in coupons.slices_of_batch(COUPON_COLUMNS, batch_id, GROUP_COUPONS):
            yield (separator + ",".join(row_texts.of_rows(schemas.Coupon, held))).encode()
            separator = ","
        yield tail.encode()
