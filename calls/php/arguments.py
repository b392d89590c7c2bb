"""Turn the query and the body of a request into what PHP calls `$_REQUEST`.

Small steps: bytes -> ordered pairs -> `fold` (names with brackets) -> `merge` (query and body).
Texts are UTF-8; a byte that is not stays in them as a lone surrogate, for typed fields to refuse.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Iterable, Iterator

from calls.php.arrays import (
    INT_MAX,
    INT_MIN,
    MAX_ARGUMENTS,
    MAX_DEPTH,
    MAX_NAME,
    NAME_TOO_LONG,
    Array,
    InvalidRequest,
    Repeated,
    Value,
    array_key,
)
from calls.php.json_bodies import from_json
from calls.php.multipart import from_multipart

FORM, MULTIPART, JSON = (
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json",
)
_PAIR = re.compile(rb"[^&]+")
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})++")
_BLANKS = tuple(" \t\n\v\f\r")
_MANGLED = str.maketrans(" .", "__")
_MANGLED_UNCLOSED = str.maketrans(" .[", "___")
_COOKIE_PREFIXES = ("__Host-", "__Secure-")


def arguments(query: bytes, content_type: str, body: bytes) -> Array:
    """Return the arguments of a request, query and body merged as PHP does; the body wins.

    A body that is neither urlencoded, multipart nor JSON is ignored, as PHP ignores it.
    Raises InvalidRequest for what PHP would drop (more than `MAX_ARGUMENTS` in the query or in the
    body, more than `MAX_DEPTH` levels), for names over `MAX_NAME` characters, and for a body that
    cannot be read.
    """
    post = _from_body(content_type, body) if body else {}
    return merge(fold(from_query(query)), post)


def from_query(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield the pairs of an urlencoded text in order; empty ones are passed over, not counted.

    Broken percent escapes stay as they are. Raises InvalidRequest at pair `MAX_ARGUMENTS` + 1.
    """
    for count, found in enumerate(_PAIR.finditer(raw), 1):
        if count > MAX_ARGUMENTS:
            raise InvalidRequest(f"there are more than {MAX_ARGUMENTS} arguments")
        pair = found[0].replace(b"+", b" ").decode("utf-8", "surrogateescape")
        name, _, value = pair.partition("=")
        yield (_unescaped(name), _unescaped(value)) if "%" in pair else (name, value)


def fold(pairs: Iterable[tuple[str, str]]) -> Array:
    """Return the array that names with brackets describe, as php_register_variable_ex does.

    A text that takes the place of an earlier value is `Repeated`. Raises InvalidRequest for a name
    of more than `MAX_NAME` characters, and for more than `MAX_DEPTH` levels, where PHP drops the
    whole argument.
    """
    array = _Growing()
    for name, value in pairs:
        if len(name) > MAX_NAME:
            raise InvalidRequest(NAME_TOO_LONG)
        if name.isidentifier():  # nothing in it is folded, and it is no number
            array[name] = Repeated(value) if name in array else value
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


def split_name(name: str) -> list[str | None]:
    """Return the keys that a name stands for, outermost first; None is the `[]` of an append.

    An empty list is a name that PHP drops in silence: an empty one, or one that opens with `[`.
    Raises InvalidRequest for more than `MAX_DEPTH` levels.
    """
    head, bracket, rest = name.partition("\0")[0].lstrip(" ").partition("[")
    if not head:
        return []
    keys: list[str | None] = [head.translate(_MANGLED)]
    while bracket:
        if len(keys) > MAX_DEPTH:
            raise InvalidRequest(f"an argument has more than {MAX_DEPTH} levels")
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


class _Growing(dict[int | str, Value]):
    """Hold a PHP array that is being filled, and its next free index."""

    # `[]` on an array without integer keys is 0, later one more than the largest ever used.
    next_index = INT_MIN

    def put(self, key: int | str, value: Value) -> None:
        if isinstance(key, int) and key >= self.next_index:
            self.next_index = min(key + 1, INT_MAX)
        self[key] = value

    def free_index(self) -> int | None:
        """Return the index that `[]` stands for, or None when the last one is taken."""
        index = 0 if self.next_index == INT_MIN else self.next_index
        return None if index in self else index


def _unescaped(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    # urllib's unquote_to_bytes does the same, but broken escapes by the million stall it
    raw = _ESCAPES.sub(lambda run: unhexlify(run.group().replace(b"%", b"")), raw)
    return raw.decode("utf-8", "surrogateescape")


def _from_body(content_type: str, body: bytes) -> Array:
    kind = kind_of(content_type)
    if kind == FORM:
        return fold(from_query(body))
    if kind == MULTIPART:
        return fold(from_multipart(content_type, body))
    return from_json(body) if kind == JSON else {}


def kind_of(content_type: str) -> str:
    """Return which kind of body a content type says: FORM, MULTIPART, JSON, or another one."""
    # sapi_read_post_data looks at the type up to the first of these, in lower case.
    kind = re.split("[;, ]", content_type.strip(), maxsplit=1)[0].lower()
    return JSON if kind.endswith("+json") else kind


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
        inner = array.get(key)
        if position == len(keys) or isinstance(inner, str):
            value = value if inner is None else Repeated(value)
        if position == len(keys):
            array.put(key, value)
            return
        if not isinstance(inner, _Growing):
            inner = _Growing()
            array.put(key, inner)
        array = inner


def _is_cookie_name(name: str, key: str) -> bool:
    # php_is_forbidden_variable_name: a name may not come to begin so only by being folded
    return any(name.startswith(p) for p in _COOKIE_PREFIXES if key.startswith(p))
