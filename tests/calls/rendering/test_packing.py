"""Packing: answers as one gzip member that every reader takes for the plain bytes."""

from __future__ import annotations

import gzip
import zlib
from random import Random

import pytest

from calls import php
from calls.rendering.packing import Fragment, deflated, gzipped


def packed(parts: list[bytes]) -> bytes:
    return b"".join(gzipped(parts))


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b""],
        [b"x"],
        [b"x" * 100_000],
        [Fragment(b"")],
        [Fragment(b"abc" * 50)],
        [b"abc" * 50, Fragment(b"abc" * 50), b"abc" * 50, b"abc" * 50],
        [b"[", Fragment(b"abc" * 50), b",", Fragment(b"abc" * 50), b",", b"abc" * 50, b"]"],
    ],
)
def test_parts_become_one_member(parts: list[bytes]) -> None:
    stream = packed(parts)
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    assert reader.decompress(stream) == b"".join(parts)
    assert reader.eof
    assert reader.unused_data == b""
    assert gzip.decompress(stream) == b"".join(parts)


def test_any_order_of_parts_is_read_back() -> None:
    chance = Random(7)  # noqa: S311  # not a secret
    words = [bytes(chance.choices(b"abcdef", k=size)) for size in (1, 1, 2, 30, 3000, 40_000)]
    for _ in range(200):
        chosen = chance.choices(words, k=chance.randrange(12))
        parts = [Fragment(word) if chance.random() < 0.5 else word for word in chosen]
        assert gzip.decompress(packed(parts)) == b"".join(chosen)


def test_what_is_kept_is_not_compressed_again() -> None:
    fragment = Fragment(b"abc" * 1000)
    fragment.packed = deflated(b"something else")
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        gzip.decompress(packed([b"before", fragment, b"behind"]))


def test_rows_keep_their_fragments_apart() -> None:
    rows = [Fragment(b"1"), b"2", Fragment(b"3"), iter([b"4", b"5"])]
    parts = list(php.parts({"rows": php.Rows(rows)}))
    assert b"".join(parts) == b'{"rows":[1,2,3,45]}'
    assert [part for part in parts if isinstance(part, Fragment)] == [b"1", b"3"]


def test_a_stream_begins_before_its_end_is_known() -> None:
    def endless():
        while True:
            yield bytes(Random(3).randbytes(70_000))  # noqa: S311  # not a secret

    stream = gzipped(endless())
    assert sum(len(next(stream)) for _ in range(10)) > 300_000
