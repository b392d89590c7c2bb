"""Compare two answers to the same call, field by field."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

IGNORED = ("server_time",)
"""The paths that differ between any two answers."""
MOST_PATHS = 100
"""How many paths one comparison tells of."""
KEY_LENGTH = 64
SHOWN_LENGTH = 200
"""The longest example of a value, in characters of its JSON."""
ABSENT = ""
"""Stands for a value that only the other answer has."""
LONGEST_PATH = 500
"""What lies deeper than this many characters of a path is not compared, and told as different."""


@dataclass
class Difference:
    """Hold where two answers differ, the first values that did, and how often they did there.

    `path` is as in `batches[].coupons[].code`: members of lists are `[]`, and so are keys that are
    numbers. `theirs` and `ours` are JSON, cut short, or `ABSENT`.
    """

    path: str
    theirs: str
    ours: str
    count: int = 1


def differences(theirs: Any, ours: Any, ignored: Collection[str] = IGNORED) -> list[Difference]:
    """Return how two answers differ, in the order of theirs, one for each path.

    Both are what JSON holds. Types count as values do ("1" is not 1), and so does the order of
    keys and of lists. Members of lists that have ids are compared by them. What is below an
    `ignored` path is not looked at. Time and memory grow with the answers alone.
    """
    found: dict[str, Difference] = {}
    waiting = [("", theirs, ours)]
    while waiting:
        path, one, other = waiting.pop()
        if path in ignored:
            continue
        if len(path) > LONGEST_PATH or not _alike(one, other):
            if type(one) is not type(other) or isinstance(one, (dict, list)) or one != other:
                _note(found, path, one, other)
            continue
        mine, yours = _by_key(one), _by_key(other)
        if [key for key in mine if key in yours] != [key for key in yours if key in mine]:
            _note(found, f"{path} (order)", list(mine), list(yours))
        is_list = isinstance(one, list)
        waiting += [
            (
                f"{path}[]" if is_list or key.isdecimal() else _joined(path, key),
                mine.get(key, _ABSENT),
                yours.get(key, _ABSENT),
            )
            for key in reversed(mine | yours)
        ]
    return list(found.values())


class _Absent:
    """Stand for a value that is not there."""


_ABSENT = _Absent()


def _alike(one: Any, other: Any) -> bool:
    """Tell whether both are objects, or both are lists."""
    return type(one) is type(other) and isinstance(one, (dict, list))


def _by_key(value: Any) -> dict[str, Any]:
    """Return the members of an object, or of a list by their ids, or else by their places."""
    if isinstance(value, dict):
        return value
    ids = [str(each["id"]) for each in value if isinstance(each, dict) and "id" in each]
    if len(ids) == len(value) == len(set(ids)):
        return dict(zip(ids, value, strict=True))
    return {str(place): each for place, each in enumerate(value)}


def _joined(path: str, key: str) -> str:
    return f"{path}.{key[:KEY_LENGTH]}" if path else key[:KEY_LENGTH]


def _note(found: dict[str, Difference], path: str, one: Any, other: Any) -> None:
    if path in found:
        found[path].count += 1
    elif len(found) < MOST_PATHS:
        found[path] = Difference(path, _shown(one), _shown(other))


def _shown(value: Any) -> str:
    """Return the begin of a value's JSON; of a large one no more is made."""
    if value is _ABSENT:
        return ABSENT
    text = ""
    for piece in json.JSONEncoder().iterencode(value):
        text += piece
        if len(text) > SHOWN_LENGTH:
            return text[:SHOWN_LENGTH]
    return text
