"""Print values as PHP's `json_encode` does with its default flags, whole or in pieces."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii

PIECE = 65536
"""Bytes of a piece, about: parts handed on one by one would cost a system call each."""
KEPT_NAMES = 1024
"""How many names of members are kept as they are written: nearly all answers have the same."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Raw:
    """Hold bytes that are JSON already and are pasted as they are."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Rows:
    """Hold the members of a JSON list, each encoded already; they are read once, when written.

    A member may come in pieces, and several as one with the commas between them.
    """

    __slots__ = ("fragments",)

    def __init__(self, fragments: Iterable[bytes | Iterator[bytes]]) -> None:
        self.fragments = fragments

    def parts(self) -> Iterator[bytes]:
        """Yield the list, each member as it is and the marks around it on their own."""
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


def gathered(parts: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield the same bytes in pieces of about `PIECE`."""
    piece: list[bytes] = []
    size = 0
    for part in parts:
        piece.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(piece)
            piece.clear()
            size = 0
    if piece:
        yield b"".join(piece)


def parts(value: object) -> Iterator[bytes]:
    """Yield the JSON of a value in parts, reading `Rows` inside it only as they are written.

    Raises like `encode`, before the first part unless a `Rows` itself fails.
    """
    texts: list[str] = []
    pasted: list[tuple[int, Raw | Rows]] = []
    _write(value, texts, pasted)
    start = 0
    for position, insert in pasted:
        if position > start:
            yield "".join(texts[start:position]).encode("ascii")
        start = position
        if isinstance(insert, Raw):
            yield insert.data
        else:
            yield from insert.parts()
    if start < len(texts):
        yield "".join(texts[start:]).encode("ascii")


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


def _write(value: object, parts: list[str], pasted: list[tuple[int, Raw | Rows]]) -> None:
    if isinstance(value, str):
        parts.append(text(value))
    elif isinstance(value, dict):
        if not value or ((0 in value or "0" in value) and is_list(value)):
            _write(list(value.values()), parts, pasted)
        else:
            _write_object(value, parts, pasted)
    elif isinstance(value, list | tuple):
        mark = "["
        for member in value:
            parts.append(mark)
            _write(member, parts, pasted)
            mark = ","
        parts.append("]" if value else "[]")
    elif value is None:
        parts.append("null")
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, int):
        parts.append(int.__repr__(value))
    elif isinstance(value, Decimal):
        parts.append(decimal_text(value))
    elif isinstance(value, float):
        parts.append(float_text(value))
    elif isinstance(value, Raw | Rows):
        pasted.append((len(parts), value))
    else:
        raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def _write_object(
    value: dict[int | str, object], parts: list[str], pasted: list[tuple[int, Raw | Rows]]
) -> None:
    mark = "{"
    for key, member in value.items():
        name = _name(key) if isinstance(key, str) else text(_digits(key))
        if isinstance(member, str):
            # Most members are texts; a call for each would take half as long again.
            parts.append(f"{mark}{name}:{text(member)}")
        else:
            parts.append(f"{mark}{name}:")
            _write(member, parts, pasted)
        mark = ","
    parts.append("}")


_name = lru_cache(KEPT_NAMES)(text)


def _digits(key: object) -> str:
    if isinstance(key, bool) or not isinstance(key, int):
        raise TypeError(f"a PHP array has no {type(key).__name__} as a key")
    return int.__repr__(key)
