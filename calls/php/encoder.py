"""Print values as PHP's `json_encode` does with its default flags, whole or in pieces."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii

KEPT_NAMES = 1024
"""How many names of members are kept as they are written: nearly all answers have the same."""

HOLE = "\0"
"""Stands for what is pasted; no JSON text holds it."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class Raw(bytes):
    """Hold bytes that are JSON already and are inserted as they are."""


class Rows:
    """Hold the members of a JSON list, each encoded already; they are read once, when written.

    A member may come in pieces, and several as one with the commas between them.
    """

    __slots__ = ("fragments",)

    def __init__(self, fragments: Iterable[bytes | Iterator[bytes]]) -> None:
        self.fragments = fragments

    def parts(self) -> Iterator[bytes]:
        """Yield the list: brackets, commas and members."""
        mark = b"["
        for fragment in self.fragments:
            yield mark
            mark = b","
            if isinstance(fragment, bytes):
                yield fragment
            else:
                yield from fragment
        yield b"]" if mark == b"," else b"[]"


def encode(value: object) -> bytes:
    """Return a value as JSON; raise TypeError or ValueError for what JSON cannot hold."""
    return b"".join(parts(value))


def parts(value: object) -> Iterator[bytes]:
    """Yield the JSON of a value in parts, reading `Rows` inside it only as they are written.

    Raises like `encode`, before the first part unless a `Rows` itself fails.
    """
    pasted: list[Raw | Rows] = []
    first, *rest = _json(value, pasted).encode("ascii").split(HOLE.encode())
    yield first
    for each, literal in zip(pasted, rest, strict=True):
        if isinstance(each, Raw):
            yield each
        else:
            yield from each.parts()
        yield literal


def text(value: str) -> str:
    """Return the JSON string literal of a text, quotes included.

    A lone surrogate, which is how a byte that was not UTF-8 came in, becomes U+FFFD as with
    JSON_INVALID_UTF8_SUBSTITUTE.
    """
    if not value.isascii():
        value = _SURROGATE.sub("\ufffd", value)
    elif "/" not in value and "\x7f" not in value:
        return encode_basestring_ascii(value)
    # Python escapes DEL, PHP does not; splitting keeps a written-out "\\u007f" apart from it.
    parts = [encode_basestring_ascii(part)[1:-1] for part in value.split("\x7f")]
    return '"' + "\x7f".join(parts).replace("/", "\\/") + '"'


def float_text(value: float) -> str:
    """Return the digits PHP 8 prints for a float (serialize_precision -1); ValueError if not
    finite."""
    if not math.isfinite(value):
        raise ValueError("JSON has no infinity and no NaN")
    digits = repr(value)
    mantissa, _, exponent = digits.partition("e")
    if not exponent:
        return digits.removesuffix(".0")
    # smart_str_append_double turns to exponents at 1.0e+17, repr already at 1e+16
    if int(exponent) == 16:
        return format(Decimal(digits), "f")
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}e{int(exponent):+d}"


def decimal_text(value: Decimal) -> str:
    """Return a Decimal in plain digits without trailing zeros; ValueError if not finite."""
    if not value.is_finite():
        raise ValueError("JSON has no infinity and no NaN")
    if not value:
        return "0"
    digits = format(value, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def is_list(array: dict[int | str, object]) -> bool:
    """Tell whether PHP holds such an array as a list: keys 0 to n-1 in order, or none at all."""
    return all(key == index or key == str(index) for index, key in enumerate(array))


def _json(value: object, pasted: list[Raw | Rows]) -> str:
    """Return the JSON of a value with a HOLE for each Raw and Rows, which are added to `pasted`."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        if not value or ((0 in value or "0" in value) and is_list(value)):
            return _json([*value.values()], pasted)
        members = [f"{_name(key)}:{_json(each, pasted)}" for key, each in value.items()]
        return f"{{{','.join(members)}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join([_json(each, pasted) for each in value])}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Raw | Rows):
        pasted.append(value)
        return HOLE
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


@lru_cache(KEPT_NAMES, typed=True)
def _name(key: object) -> str:
    """Return a key of a PHP array as the name of a member."""
    if isinstance(key, str):
        return text(key)
    if isinstance(key, bool) or not isinstance(key, int):
        raise TypeError(f"a PHP array has no {type(key).__name__} as a key")
    return f'"{int.__repr__(key)}"'
