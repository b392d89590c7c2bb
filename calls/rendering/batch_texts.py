"""Render batches with all their coupons, from the fragment cache or in groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import tzinfo

from calls.rendering import row_texts
from calls.rendering.fragments import FragmentCache
from calls.wire import schemas
from models.promotions import batches, coupons
from models.store import base
from models.store.prepared import Found

GROUP_COUPONS = 2000
"""How many coupons are read at once: enough to save statements, few enough to stream."""
MANY_COUPONS = 20_000
"""A page of more coupons, of 10 MB or so, is rendered as it is sent, and so is such a batch."""

COUPON_COLUMNS = row_texts.columns(schemas.Coupon)
BATCH_COLUMNS = (*row_texts.columns(schemas.Batch), "revision")
BATCH_ID = COUPON_COLUMNS.index("batch_id")
CUT = "\0"
"""Marks the place of the coupons where a batch is sent in pieces; no JSON text holds it."""


def texts(
    found: Found, zone: tzinfo, cache: FragmentCache, page: Hashable
) -> Iterable[bytes | Iterator[bytes]]:
    """Return the text of each batch in turn, or all of them as one text.

    `found` has the id, revision and number of coupons of each. The cache keeps the whole under the
    number and size of the page, so that its next state takes its room. Each batch is of one state
    of the store; one that was deleted meanwhile is left out. Those of a page of more than
    MANY_COUPONS are rendered as they are sent, a batch of so many in pieces.
    """
    whole = cache.made_of(page, found)
    if whole is not None:
        return [whole]
    ids, revisions, counts = found.columns() or ([], [], [])
    texts = cache.find([*zip(ids, revisions, strict=True)])
    known = [text for text in texts if text is not None]
    if texts and len(known) == len(texts) and cache.takes(sum(map(len, known))):
        return [cache.put(page, b",".join(known), found)]
    sizes = [*map(int, counts)]
    rendered = _in_turn(zip(map(int, ids), sizes, texts, strict=True), zone, cache)
    return rendered if sum(sizes) > MANY_COUPONS else [*rendered]


def _in_turn(
    page: Iterable[tuple[int, int, bytes | None]], zone: tzinfo, cache: FragmentCache
) -> Iterator[bytes | Iterator[bytes]]:
    """Yield the text of each (id, coupons, known text), rendering neighbours together."""
    group: list[int] = []
    room = GROUP_COUPONS
    for batch_id, size, text in page:
        if group and (text is not None or size > room):
            yield from _rendered(group, zone, cache)
            group, room = [], GROUP_COUPONS
        if text is not None:
            yield text
        elif size > MANY_COUPONS:
            yield _pieces(batch_id, zone)
        else:
            group.append(batch_id)
            room -= size
    if group:
        yield from _rendered(group, zone, cache)


def _rendered(ids: Sequence[int], zone: tzinfo, cache: FragmentCache) -> Iterator[bytes]:
    """Keep the text of each of these batches and yield it."""
    with base.snapshot():
        heads = batches.texts(BATCH_COLUMNS, ids)
        held = coupons.of_batches(COUPON_COLUMNS, ids)
    if not heads:
        return
    sizes = Counter(held[BATCH_ID] if held else ())
    lists = row_texts.texts(schemas.Coupon, held, zone, sizes.values())
    inside = dict(zip(sizes, lists, strict=True))
    *columns, revisions, terms_ids = heads
    insides = [inside.get(batch_id, "") for batch_id in columns[0]]
    wholes = row_texts.texts(schemas.Batch, [*columns, insides, terms_ids], zone)
    for batch_id, revision, whole in zip(columns[0], revisions, wholes, strict=True):
        yield cache.put((batch_id, revision), whole.encode())


def _pieces(batch_id: int, zone: tzinfo) -> Iterator[bytes]:
    """Yield a batch of many coupons in pieces: the whole would be too much to hold."""
    with base.snapshot():
        heads = batches.texts(BATCH_COLUMNS, [batch_id])
        if not heads:
            return
        *columns, _, terms_ids = heads
        [whole] = row_texts.texts(schemas.Batch, [*columns, [CUT], terms_ids], zone)
        head, tail = whole.split(CUT)
        yield head.encode()
        separator = ""
        for held in coupons.slices_of_batch(COUPON_COLUMNS, batch_id, GROUP_COUPONS):
            yield (separator + ",".join(row_texts.of_rows(schemas.Coupon, held))).encode()
            separator = ","
        yield tail.encode()
