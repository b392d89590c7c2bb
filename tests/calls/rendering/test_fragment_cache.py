"""FragmentCache: what is kept, how much of it, and what is made of it."""

from __future__ import annotations

import gzip
from random import Random

from calls.rendering.batch_json import LARGEST_PART, FragmentCache
from calls.rendering.packing import Fragment, deflated, gzipped

ROOM = LARGEST_PART * 100


def test_a_kept_text_is_found_as_it_was() -> None:
    kept = FragmentCache(ROOM)
    assert kept.put((1, 1), b"one") == b"one"
    assert kept.find([(1, 1), (1, 2)]) == [b"one", None]


def test_a_giant_is_not_kept() -> None:
    kept = FragmentCache(ROOM)
    assert kept.put((1, 1), b"x" * 101) == b"x" * 101
    assert kept.find([(1, 1)]) == [None]
    assert kept.bytes == 0


def test_a_text_is_found_only_while_it_is_made_of_the_same() -> None:
    kept = FragmentCache(ROOM)
    kept.put("page", b"one,two", [(1, 1), (2, 1)])
    assert kept.made_of("page", [(1, 1), (2, 1)]) == b"one,two"
    assert kept.made_of("page", [(1, 1), (2, 2)]) is None
    assert kept.made_of("other", [(1, 1), (2, 1)]) is None
    kept.put("page", b"one,TWO", [(1, 1), (2, 2)])
    assert kept.made_of("page", [(1, 1), (2, 1)]) is None
    assert kept.made_of("page", [(1, 1), (2, 2)]) == b"one,TWO"
    assert kept.bytes == len(b"one,TWO")


def test_what_was_not_used_for_the_longest_time_goes_first() -> None:
    kept = FragmentCache(ROOM)
    for number in range(LARGEST_PART):
        kept.put(number, b"x" * 100)
    assert kept.find([0]) == [b"x" * 100]
    kept.put("new", b"x")
    assert kept.find([0, 1, 2, "new"]) == [b"x" * 100, None, b"x" * 100, b"x"]


def test_the_compressed_form_is_made_once_and_counted() -> None:
    kept = FragmentCache(ROOM)
    fragment = kept.put(1, b"x" * 100)
    assert isinstance(fragment, Fragment)
    assert kept.bytes == 100
    packed = fragment.deflated()
    assert fragment.deflated() is packed
    assert kept.bytes == 100 + len(packed)
    kept.put(1, b"y")
    assert kept.bytes == 1


def test_what_was_pushed_out_is_not_counted_when_it_is_compressed() -> None:
    kept = FragmentCache(ROOM)
    fragment = kept.put(1, b"x" * 100)
    assert isinstance(fragment, Fragment)
    kept.put(1, b"y")
    fragment.deflated()
    assert kept.bytes == 1


def test_the_bound_holds_whatever_is_kept_and_compressed() -> None:
    chance = Random(5)  # noqa: S311  # not a secret
    kept = FragmentCache(ROOM)
    handed_out = []
    for _ in range(2000):
        text = chance.randbytes(chance.randrange(1, 120))
        handed_out.append(kept.put(chance.randrange(200), text))
        some = chance.choice(handed_out)
        if isinstance(some, Fragment):
            assert gzip.decompress(b"".join(gzipped([some]))) == some
        found = [each for each in kept.find(range(200)) if each is not None]
        counted = sum(len(each) + len(each.packed or b"") for each in found)
        assert kept.bytes == counted <= ROOM
    assert any(each.packed for each in found)
    assert deflated(b"") not in found


def test_what_it_finds_and_holds_is_told() -> None:
    told: dict[str, list[int]] = {"hits": [], "misses": [], "bytes": []}
    kept = FragmentCache(
        ROOM,
        count_hits=told["hits"].append,
        count_misses=told["misses"].append,
        show_bytes=told["bytes"].append,
    )
    kept.put("a", b"one", sources=1)
    assert kept.find(["a", "b", "c"]) == [b"one", None, None]
    assert kept.made_of("a", 1) == b"one"
    assert kept.made_of("a", 2) is None
    assert told == {"hits": [1, 1], "misses": [2], "bytes": [3]}
