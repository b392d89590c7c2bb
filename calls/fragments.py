"""Fragments: rendered batches kept by (id, revision), so that nothing that changed is answered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from threading import Lock

LARGEST_PART = 64
"""A fragment over this part of the whole is not kept: a few giants would push out all others."""


class Fragments:
    """Keep rendered texts up to so many bytes, those used last the longest."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._texts: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> bytes | None:
        """Return the text kept under a key."""
        with self._lock:
            text = self._texts.get(key)
            if text is None:
                self.misses += 1
                return None
            self.hits += 1
            self._texts.move_to_end(key)
            return text

    def all(self, keys: Sequence[Hashable]) -> list[bytes] | None:
        """Return the texts kept under all these keys, None when one is missing."""
        with self._lock:
            texts = [text for key in keys if (text := self._texts.get(key)) is not None]
            if len(texts) < len(keys):
                return None
            self.hits += len(texts)
            for key in keys:
                self._texts.move_to_end(key)
            return texts

    def put(self, key: Hashable, text: bytes) -> None:
        """Keep a text; the longest unused ones go when the bytes run out."""
        if len(text) > self.most_bytes // LARGEST_PART:
            return
        with self._lock:
            self.bytes += len(text) - len(self._texts.pop(key, b""))
            self._texts[key] = text
            while self.bytes > self.most_bytes:
                self.bytes -= len(self._texts.popitem(last=False)[1])
