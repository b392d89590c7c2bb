"""Render batches with all their coupons as JSON, from the cache or in groups.

The cache keeps them by (id, revision), so that nothing stale is answered, and a page of them with
what it is made of.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import tzinfo
from functools import partial
from itertools import compress
from threading import Lock

from calls.rendering import row_json
from calls.rendering.packing import Fragment
from calls.wire import schemas
from models.promotions import batches, coupon_lists
from models.store import base
from models.store.prepared import QueryResult

GROUP_COUPONS = 2000
"""How many coupons are read at once: enough to save statements, few enough to stream."""
MANY_COUPONS = 20_000
"""A page of more coupons, of 10 MB or so, is rendered as it is sent, and so is such a batch."""
LARGEST_PART = 64
"""A fragment over this part of the whole is not kept: a few large ones would evict all others."""

COUPON_COLUMNS = row_json.columns(schemas.Coupon)
BATCH_COLUMNS = (*row_json.columns(schemas.Batch), "revision")
BATCH_ID = COUPON_COLUMNS.index("batch_id")
CUT = "\0"
"""Marks the place of the coupons where a batch is sent in pieces; no JSON text holds it."""


class FragmentCache:
    """Cache rendered JSON up to so many bytes; evict the least recently used.

    The bytes of their compressed forms count as well.
    """

    def __init__(
        self,
        most_bytes: int,
        *,
        count_hits: Callable[[int], object] = bool,
        count_misses: Callable[[int], object] = bool,
        show_bytes: Callable[[int], object] = bool,
    ) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._count_hits = count_hits
        self._count_misses = count_misses
        self._show_bytes = show_bytes
        self._texts: OrderedDict[Hashable, Fragment] = OrderedDict()
        self._lock = Lock()

    def find(self, keys: Sequence[Hashable]) -> list[Fragment | None]:
        """Return the text kept under each key, None where there is none."""
        with self._lock:
            found = [self._texts.get(key) for key in keys]
            for key in compress(keys, found):
                self._texts.move_to_end(key)
        misses = found.count(None)
        self._count_misses(misses)
        self._count_hits(len(found) - misses)
        return found

    def made_of(self, key: Hashable, sources: object) -> Fragment | None:
        """Return the text kept under a key if it was made of exactly these sources."""
        with self._lock:
            found = self._texts.get(key)
            if found is None or found.sources != sources:
                return None
            self._texts.move_to_end(key)
        self._count_hits(1)
        return found

    def takes(self, size: int) -> bool:
        """Tell whether a text of so many bytes is kept."""
        return size <= self.most_bytes // LARGEST_PART

    def put(self, key: Hashable, text: bytes, sources: object = None) -> bytes:
        """Keep a text and return it; the longest unused ones go when the bytes run out."""
        if not self.takes(len(text)):
            return text
        fragment = Fragment(text)
        fragment.sources = sources
        fragment.counted = partial(self._packed, key)
        with self._lock:
            self._forget(self._texts.pop(key, None))
            self._texts[key] = fragment
            self._grow(len(fragment))
        return fragment

    def _packed(self, key: Hashable, fragment: Fragment, packed: bytes) -> None:
        """Keep the compressed form of a text, for as long as the text itself."""
        with self._lock:
            if fragment.packed is None:
                fragment.packed = packed
                if self._texts.get(key) is fragment:
                    self._grow(len(packed))

    def _grow(self, size: int) -> None:
        self.bytes += size
        while self.bytes > self.most_bytes:
            self._forget(self._texts.popitem(last=False)[1])
        self._show_bytes(self.bytes)

    def _forget(self, fragment: Fragment | None) -> None:
        if fragment is not None:
            self.bytes -= len(fragment) + len(fragment.packed or b"")


def render(
    found: QueryResult, places: int, zone: tzinfo, cache: FragmentCache, page: Hashable
) -> Iterable[bytes | Iterator[bytes]]:
    """Return the JSON of each batch in turn, or of all of them as one text.

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
    rendered = _in_turn(zip(map(int, ids), sizes, texts, strict=True), places, zone, cache)
    return rendered if sum(sizes) > MANY_COUPONS else [*rendered]


def _in_turn(
    page: Iterable[tuple[int, int, bytes | None]], places: int, zone: tzinfo, cache: FragmentCache
) -> Iterator[bytes | Iterator[bytes]]:
    """Yield the JSON of each (id, coupons, cached text), rendering neighbours together."""
    group: list[int] = []
    room = GROUP_COUPONS
    for batch_id, size, text in page:
        if group and (text is not None or size > room):
            yield from _rendered(group, places, zone, cache)
            group, room = [], GROUP_COUPONS
        if text is not None:
            yield text
        elif size > MANY_COUPONS:
            yield _pieces(batch_id, places, zone)
        else:
            group.append(batch_id)
            room -= size
    if group:
        yield from _rendered(group, places, zone, cache)


def _rendered(
    ids: Sequence[int], places: int, zone: tzinfo, cache: FragmentCache
) -> Iterator[bytes]:
    """Render these batches, cache the JSON of each and yield it."""
    with base.snapshot():
        heads = batches.by_ids(BATCH_COLUMNS, ids)
        held = coupon_lists.of_batches(COUPON_COLUMNS, ids)
    if not heads:
        return
    sizes = Counter(held[BATCH_ID] if held else ())
    lists = row_json.render(schemas.Coupon, held, places, zone, sizes.values())
    inside = dict(zip(sizes, lists, strict=True))
    *columns, revisions, terms_ids = heads
    insides = [inside.get(batch_id, "") for batch_id in columns[0]]
    wholes = row_json.render(schemas.Batch, [*columns, insides, terms_ids], places, zone)
    for batch_id, revision, whole in zip(columns[0], revisions, wholes, strict=True):
        yield cache.put((batch_id, revision), whole.encode())


def _pieces(batch_id: int, places: int, zone: tzinfo) -> Iterator[bytes]:
    """Yield a batch of many coupons in pieces: the whole would be too much to hold."""
    with base.snapshot():
        heads = batches.by_ids(BATCH_COLUMNS, [batch_id])
        if not heads:
            return
        *columns, _, terms_ids = heads
        [whole] = row_json.render(schemas.Batch, [*columns, [CUT], terms_ids], places, zone)
        head, tail = whole.split(CUT)
        yield head.encode()
        separator = ""
        for held in coupon_lists.slices_of_batch(COUPON_COLUMNS, batch_id, GROUP_COUPONS):
            texts = row_json.of_rows(schemas.Coupon, held, places)
            yield (separator + ",".join(texts)).encode()
            separator = ","
        yield tail.encode()
