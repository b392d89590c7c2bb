"""Codes are drawn and picked fairly, and only from the alphabet of their complexity."""

from __future__ import annotations

import string
from array import array
from collections import Counter
from random import Random

import pytest

from models.promotions import generation
from models.store import clock
from models.store.errors import Invalid


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make chance repeatable: a bound on a statistic then holds always or never."""
    chance = Random(20)  # noqa: S311  # not a secret
    monkeypatch.setattr(clock, "random_bytes", chance.randbytes)
    monkeypatch.setattr(clock, "random_below", chance.randrange)


def chi_square(counts: Counter[str], kinds: int) -> float:
    expected = counts.total() / kinds
    missing = kinds - len(counts)
    return sum((n - expected) ** 2 / expected for n in counts.values()) + missing * expected


def likely(kinds: int) -> float:
    """Return a bound that chi-square with so many kinds exceeds once in many millions."""
    freedom = kinds - 1
    return freedom + 6 * (2 * freedom) ** 0.5


@pytest.mark.parametrize(
    ("complexity", "letters"),
    [
        (1, string.ascii_letters + string.digits),
        (2, string.ascii_uppercase + string.digits),
        (3, string.ascii_letters),
        (4, string.ascii_uppercase),
        (5, string.digits),
    ],
)
@pytest.mark.usefixtures("seeded")
class TestDraw:
    def test_draws_from_the_alphabet_of_the_complexity(self, complexity: int, letters: str) -> None:
        drawn = generation.draw(2000, generation.alphabet(complexity), 7)
        assert [len(text) for text in drawn] == [7] * 2000
        assert set("".join(drawn)) == set(letters)

    def test_every_letter_stands_for_as_many_bytes(
        self, complexity: int, letters: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(clock, "random_bytes", lambda count: bytes(range(256)))
        each = 2 * (256 // len(letters))
        drawn = generation.draw(each * len(letters), generation.alphabet(complexity), 1)
        assert Counter(drawn) == dict.fromkeys(letters, each)

    def test_every_place_is_uniform(self, complexity: int, letters: str) -> None:
        drawn = generation.draw(40_000, generation.alphabet(complexity), 3)
        for place in range(3):
            counts = Counter(text[place] for text in drawn)
            assert chi_square(counts, len(letters)) < likely(len(letters))


def test_neighbouring_letters_are_independent(seeded: None) -> None:
    pairs = Counter(generation.draw(50_000, string.digits, 2))
    assert chi_square(pairs, 100) < likely(100)


def test_unknown_complexity() -> None:
    with pytest.raises(Invalid, match="from 1 to 5"):
        generation.alphabet(6)


def test_shuffles_fairly(seeded: None) -> None:
    orders = Counter(
        "".join(map(str, generation.shuffled(array("I", range(4))))) for _ in range(24_000)
    )
    assert chi_square(orders, 24) < likely(24)


def test_draws_the_twelve_usual_characters_from_the_secure_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def recorded(count: int) -> bytes:
        asked.append(count)
        return b"\0" * count

    monkeypatch.setattr(clock, "random_bytes", recorded)
    assert generation.draw(1, string.digits, 12) == ["0" * 12]
    assert asked
