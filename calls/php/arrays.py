"""Fold names with brackets into PHP arrays, and merge two such arrays.

A PHP array is a dict in insertion order with `int | str` keys; its values are texts or arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

MAX_ARGUMENTS = 1000
"""How many arguments the query and the body may each have, as PHP's max_input_vars."""
MAX_DEPTH = 64
"""How many levels of brackets a name may have, as PHP's max_input_nesting_level."""
NAME_SHOWN = 64
"""How many characters of a refused name are kept."""

Array: TypeAlias = "dict[int | str, Value]"
Value: TypeAlias = "str | Array"

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_BLANKS = tuple(" \t\n\v\f\r")
_MANGLED = str.maketrans(" .", "__")
_MANGLED_UNCLOSED = str.maketrans(" .[", "___")
_COOKIE_PREFIXES = ("__Host-", "__Secure-")


class Refused(ValueError):
    """Say that a request has more than the limits allow, or a body that cannot be read.

    The message never holds a value. `names` are the arguments it is about, where they are known.
    """

    def __init__(self, reason: str, *names: str) -> None:
        super().__init__(reason)
        self.names = tuple(name[:NAME_SHOWN] for name in names)


class _Growing(dict[int | str, Value]):
    """A PHP array that is being filled: it knows its next free index."""

    # `[]` on an array without integer keys is 0, later one more than the largest ever used.
    next_index = _INT_MIN

    def put(self, key: int | str, value: Value) -> None:
        if isinstance(key, int) and key >= self.next_index:
            self.next_index = min(key + 1, _INT_MAX)
        self[key] = value

    def free_index(self) -> int | None:
        """Return the index that `[]` stands for, or None when the last one is taken."""
        index = 0 if self.next_index == _INT_MIN else self.next_index
        return None if index in self else index


def fold(pairs: Iterable[tuple[str, str]]) -> Array:
    """Return the array that names with brackets describe, as php_register_variable_ex does.

    Raises Refused for more than `MAX_DEPTH` levels, where PHP drops the whole argument.
    """
    array = _Growing()
    for name, value in pairs:
        if name.isidentifier():  # nothing in it is folded, and it is no number
            array[name] = value
        else:
            _register(array, name, value)
    return array


def merge(get: Array, post: Array) -> Array:
    """Return the query with the body laid over it, as php_autoglobal_merge does."""
    merged = dict(get)
    for key, value in post.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            value = merge(below, value)
        merged[key] = value
    return merged


def array_key(text: str) -> int | str:
    """Return the key PHP uses for a text: an int if it is one in canonical decimal and 64 bits."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return text
    if digits[0] == "0" and text != "0":
        return text
    number = int(text)
    return number if _INT_MIN <= number <= _INT_MAX else text


def split_name(name: str) -> list[str | None]:
    """Return the keys that a name stands for, outermost first; None is the `[]` of an append.

    An empty list is a name that PHP drops in silence: an empty one, or one that opens with `[`.
    Raises Refused for more than `MAX_DEPTH` levels.
    """
    head, bracket, rest = name.partition("\0")[0].lstrip(" ").partition("[")
    if not head:
        return []
    keys: list[str | None] = [head.translate(_MANGLED)]
    while bracket:
        if len(keys) > MAX_DEPTH:
            raise Refused(f"an argument has more than {MAX_DEPTH} levels", head)
        blank = rest.startswith(_BLANKS)
        end = rest.find("]", 1 if blank else 0)
        if end < 0:
            # An unclosed bracket belongs to the name itself if it is the first, else is left out.
            if len(keys) == 1:
                keys[0] = f"{keys[0]}_{rest.translate(_MANGLED_UNCLOSED)}"
            break
        keys.append(None if end == blank else rest[:end])
        bracket, rest = rest[end + 1 : end + 2], rest[end + 2 :]
        if bracket != "[":
            # What follows a closed bracket is ignored.
            break
    return keys


def _register(array: _Growing, name: str, value: str) -> None:
    keys = split_name(name)
    name = name.lstrip(" ")
    for position, text in enumerate(keys, 1):
        if text is None:
            free = array.free_index()
            if free is None:
                return
            key: int | str = free
        elif text.startswith(_COOKIE_PREFIXES) and not _is_cookie_name(name, text):
            return
        else:
            key = array_key(text)
        if position == len(keys):
            array.put(key, value)
            return
        inner = array.get(key)
        if not isinstance(inner, _Growing):
            inner = _Growing()
            array.put(key, inner)
        array = inner


def _is_cookie_name(name: str, key: str) -> bool:
    # php_is_forbidden_variable_name: a name may not come to begin so only by being folded
    return any(name.startswith(p) for p in _COOKIE_PREFIXES if key.startswith(p))
