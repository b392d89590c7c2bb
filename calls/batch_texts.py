"""The texts of batches with all their coupons: from the kept fragments, or rendered in groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import islice

from calls import rendering, shapes
from calls.fragments import Fragments
from models import base, batches, coupons

GROUP_COUPONS = 2000
"""How many coupons are read at once: enough to save statements, few enough to stream."""

Found = tuple[int, int, int]
"""A batch of a page: its id, revision and number of coupons."""


COUPON_COLUMNS = rendering.columns(shapes.Coupon)
BATCH_COLUMNS = (*rendering.columns(shapes.Batch), "revision")
BATCH_ID = COUPON_COLUMNS.index("batch_id")
CUT = "\0"
"""Marks the place of the coupons where a batch is sent in pieces; no JSON text holds it."""


def texts(
    found: Sequence[Found], zone: tzinfo, kept: Fragments
) -> Iterator[bytes | Iterator[bytes]]:
    """Yield the text of each batch in turn, a large one in pieces.

    Each is of one state of the store; a batch that was deleted meanwhile is left out.
    """
    whole = kept.all([(batch_id, revision) for batch_id, revision, _ in found])
    if whole is not None:
        yield from whole
        return
    at = 0
    while at < len(found):
        batch_id, revision, size = found[at]
        text = kept.get((batch_id, revision))
        if text is not None:
            yield text
            at += 1
        elif size > GROUP_COUPONS:
            yield _pieces(batch_id, zone)
            at += 1
        else:
            group = _group(found[at:], kept)
            yield from _rendered(group, zone, kept)
            at += len(group)


def _group(waiting: Sequence[Found], kept: Fragments) -> list[int]:
    """Return the ids of the next batches that are not kept, as many as are read at once."""
    group: list[int] = []
    size = 0
    for batch_id, revision, coupons_count in waiting:
        size += coupons_count
        if size > GROUP_COUPONS or kept.get((batch_id, revision)) is not None:
            break
        group.append(batch_id)
    return group


def _rendered(ids: Sequence[int], zone: tzinfo, kept: Fragments) -> Iterator[bytes]:
    """Yield the text of each of these batches and keep it."""
    with base.snapshot():
        heads = batches.texts(BATCH_COLUMNS, ids)
        held = coupons.of_batches(COUPON_COLUMNS, ids)
    if not heads:
        return
    members = iter(rendering.texts(shapes.Coupon, held))
    sizes = Counter(held[BATCH_ID]) if held else {}
    inside = {batch_id: ",".join(islice(members, size)) for batch_id, size in sizes.items()}
    *columns, revisions, terms_ids = heads
    lists = [f"[{inside.get(batch_id, '')}]" for batch_id in columns[0]]
    found = rendering.texts(shapes.Batch, [*columns, lists, terms_ids], zone)
    for batch_id, revision, text in zip(columns[0], revisions, found, strict=True):
        encoded = text.encode()
        kept.put((int(batch_id), int(revision)), encoded)
        yield encoded


def _pieces(batch_id: int, zone: tzinfo) -> Iterator[bytes]:
    """Yield a batch of many coupons in pieces: the whole would be too much to hold."""
    with base.snapshot():
        *columns, _, terms_ids = batches.texts(BATCH_COLUMNS, [batch_id]) or ([], [])
        for whole in rendering.texts(shapes.Batch, [*columns, [f"[{CUT}]"], terms_ids], zone):
            head, tail = whole.split(CUT)
            yield head.encode()
            separator = ""
            for held in coupons.slices_of_batch(COUPON_COLUMNS, batch_id, GROUP_COUPONS):
                yield (separator + ",".join(rendering.of_rows(shapes.Coupon, held))).encode()
                separator = ","
            yield tail.encode()
