"""Fragment cache: rendered batches by (id, revision), so that nothing stale is answered.

A page of them is kept as well, with what it is made of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from itertools import compress
from threading import Lock

from calls.rendering.packing import Fragment

LARGEST_PART = 64
"""A fragment over this part of the whole is not kept: a few giants would push out all others."""


class FragmentCache:
    """Keep rendered texts up to so many bytes, those used last the longest.

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
        """Return the text kept under a key if it is made of exactly these."""
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
