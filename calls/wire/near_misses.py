"""Names that were probably meant by others, and names of a client as they can be shown."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST_SHOWN = 40
SHORT = 5
"""Names under so many letters have one slip at most, others two."""


def near_miss(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that this one is a slip of, in any case of letters, or None."""
    lower = name.lower()
    near = [each for each in known if _within(lower, each.lower(), 1 if len(each) < SHORT else 2)]
    return min(near, key=lambda each: not _within(lower, each.lower(), 1), default=None)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that this one is a slip of, else the most alike, or None."""
    known = list(known)
    alike = get_close_matches(name.lower(), known, 1) if len(name) <= LONGEST_SHOWN else []
    return near_miss(name, known) or next(iter(alike), None)


def shown(name: str) -> str:
    """Return a client's name as it can be answered: printable, cut to `LONGEST_SHOWN`."""
    cut = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"
    return "".join(letter if letter.isprintable() else "?" for letter in cut)


def _within(one: str, other: str, slips: int) -> bool:
    """Tell whether so many letters at most are added, left out, changed or swapped."""
    if one == other:
        return True
    if not slips or abs(len(one) - len(other)) > slips:
        return False
    pairs = enumerate(zip(one, other, strict=False))
    same = next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
    one, other = one[same:], other[same:]
    return (
        _within(one[1:], other[1:], slips - 1)
        or _within(one[1:], other, slips - 1)
        or _within(one, other[1:], slips - 1)
        or (one[:2] == other[1::-1] and _within(one[2:], other[2:], slips - 1))
    )
