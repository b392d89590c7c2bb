"""Compress answers as gzip, reusing cached fragments that are compressed already."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from struct import pack

KEPT_LEVEL = 6
"""What is kept is compressed once and sent many times."""
PASSING_LEVEL = 1
"""What is sent once: level 6 would take three times as long for a third of the bytes less."""
HEADER = b"\x1f\x8b\x08" + b"\0" * 6 + b"\xff"
"""A gzip member by deflate, of no time and no system, as RFC 1952 describes it."""
FOUR_BYTES = 0xFFFFFFFF


class Fragment(bytes):
    """A cached text, which is compressed when that is first needed."""

    counted: Callable[[Fragment, bytes], None] = staticmethod(lambda fragment, packed: None)
    """Is called with the compressed form."""
    packed: bytes | None = None
    sources: object = None
    """What it is made of, where its key does not say that."""

    def deflated(self) -> bytes:
        """Return the text compressed; the cache keeps that too."""
        packed = self.packed or deflated(self)
        if self.packed is None:
            self.counted(self, packed)
        return packed


def deflated(text: bytes, level: int = KEPT_LEVEL) -> bytes:
    """Return raw deflate blocks that are self-contained and end on a byte boundary."""
    packer = _packer(level)
    return packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)


def gzipped(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts as one gzip member."""
    checksum = size = 0
    passing = _packer(PASSING_LEVEL)
    waiting = False
    yield HEADER
    for part in parts:
        checksum = zlib.crc32(part, checksum)
        size += len(part)
        if isinstance(part, Fragment):
            if waiting:
                # Nothing behind the fragment may point to what is before it.
                yield passing.flush(zlib.Z_FULL_FLUSH)
                waiting = False
            yield part.deflated()
        else:
            yield passing.compress(part)
            waiting = True
    yield passing.flush(zlib.Z_FINISH)
    yield pack("<LL", checksum, size & FOUR_BYTES)


def _packer(level: int) -> zlib._Compress:
    return zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
