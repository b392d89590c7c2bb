"""Turn the query and the body of a request into what PHP calls `$_REQUEST`.

Small steps: bytes -> ordered pairs -> `fold` (names with brackets) -> `merge` (query and body).
Texts are UTF-8; a byte that is not stays in them as a lone surrogate, for typed fields to refuse.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Iterator

from calls.php.arrays import MAX_ARGUMENTS, Array, Refused, fold, merge
from calls.php.bodies import from_json, from_multipart

_PAIR = re.compile(rb"[^&]+")
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})++")


def arguments(query: bytes, content_type: str, body: bytes) -> Array:
    """Return the arguments of a request, query and body merged as PHP does; the body wins.

    A body that is neither urlencoded, multipart nor JSON is ignored, as PHP ignores it.
    Raises Refused for what PHP would drop (more than `MAX_ARGUMENTS` in the query or in the body,
    more than `MAX_DEPTH` levels) and for a body that cannot be read.
    """
    get = fold(from_query(query))
    if not body:
        return get
    return merge(get, _from_body(content_type, body))


def from_query(raw: bytes | str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of an urlencoded text in order; empty ones are passed over, not counted.

    Broken percent escapes stay as they are. Raises Refused at pair `MAX_ARGUMENTS` + 1.
    """
    if isinstance(raw, str):
        raw = raw.encode("utf-8", "surrogateescape")
    for count, found in enumerate(_PAIR.finditer(raw), 1):
        if count > MAX_ARGUMENTS:
            raise Refused(f"there are more than {MAX_ARGUMENTS} arguments")
        pair = found[0].replace(b"+", b" ").decode("utf-8", "surrogateescape")
        name, _, value = pair.partition("=")
        yield (_unescaped(name), _unescaped(value)) if "%" in pair else (name, value)


def _unescaped(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    # urllib's unquote_to_bytes does the same, but broken escapes by the million stall it
    raw = _ESCAPES.sub(lambda run: unhexlify(run.group().replace(b"%", b"")), raw)
    return raw.decode("utf-8", "surrogateescape")


def _from_body(content_type: str, body: bytes) -> Array:
    # sapi_read_post_data looks at the type up to the first of these, in lower case.
    kind = re.split("[;, ]", content_type.strip(), maxsplit=1)[0].lower()
    if kind == "application/x-www-form-urlencoded":
        return fold(from_query(body))
    if kind == "multipart/form-data":
        return fold(from_multipart(content_type, body))
    if kind == "application/json" or kind.endswith("+json"):
        return from_json(body)
    return {}
