"""Parse request bodies that are multipart forms or JSON objects."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData, State

from calls.php.arrays import MAX_ARGUMENTS, MAX_DEPTH, Array, InvalidRequest, Value, array_key
from calls.php.encoder import float_text

PIECE = 4096
"""Bytes of a multipart body that are looked at together; the headers of a part must fit."""

# As rfc1867_post_handler finds it: anywhere, in quotes or up to a comma or semicolon.
_BOUNDARY = re.compile(r'boundary[^=]*=(?:"([^"]+)"|([^",;]+))', re.IGNORECASE)
_PART_NAME = re.compile(r'[;\s]name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE | re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_JSON_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def from_multipart(content_type: str, body: bytes) -> Iterator[tuple[str, str]]:
    """Yield the fields of a multipart form in order; files count as arguments and are passed over.

    Raises InvalidRequest for a missing boundary, a broken or truncated body, or too many parts.
    """
    found = _BOUNDARY.search(content_type)
    boundary = (found[1] or found[2]).strip() if found else ""
    if not boundary:
        raise InvalidRequest("the multipart body has no boundary")
    try:
        yield from _fields(MultipartDecoder(boundary.encode("latin-1")), body)
    except ValueError as problem:
        raise InvalidRequest("the multipart body is broken") from problem


def _fields(decoder: MultipartDecoder, body: bytes) -> Iterator[tuple[str, str]]:
    parts = 0
    name: str | None = None
    data: list[bytes] = []
    for event in _events(decoder, body):
        if isinstance(event, Field | File):
            parts += 1
            if parts > MAX_ARGUMENTS:
                raise InvalidRequest(f"there are more than {MAX_ARGUMENTS} arguments")
            name = None
            if isinstance(event, Field):
                name = _part_name(event.headers["content-disposition"])
        elif isinstance(event, Data) and name is not None:
            data.append(event.data)
            if not event.more_data:
                yield name, b"".join(data).decode("utf-8", "surrogateescape")
                data = []


def _events(decoder: MultipartDecoder, body: bytes) -> Iterator[object]:
    # In pieces, because the decoder reads headers character by character, however long they are.
    for start in range(0, len(body), PIECE):
        decoder.receive_data(body[start : start + PIECE])
        while not isinstance(event := decoder.next_event(), NeedData):
            yield event
        if decoder.state is State.PART and len(decoder.buffer) > PIECE:
            raise InvalidRequest("the multipart body has a header that is too long")
    decoder.receive_data(None)
    while not isinstance(event := decoder.next_event(), Epilogue):
        yield event


def _part_name(disposition: str) -> str:
    found = _PART_NAME.search(disposition)
    if found is None:
        raise InvalidRequest("the multipart body has a part without a name")
    return found[2] or _ESCAPED.sub(r"\1", found[1])


def from_json(body: bytes) -> Array:
    """Return a JSON object with its scalars as PHP's texts: true "1", false and null "".

    An empty body and `[]`, which is how PHP prints an array without members, are no arguments.
    Numbers keep all their digits. Raises InvalidRequest for anything else, and beyond the limits.
    """
    try:
        text = body.decode().strip()
        _check_count(text)
        value = json.loads(
            text or "[]", parse_int=str, parse_float=_float, parse_constant=_constant
        )
    except (ValueError, RecursionError) as problem:
        raise InvalidRequest("the JSON body is broken") from problem
    if not isinstance(value, dict) and value != []:
        raise InvalidRequest("the JSON body is not an object")
    return _array(value, 0)


def _check_count(text: str) -> None:
    """Refuse too many JSON members before they are parsed, by counting their separators."""
    if sum(map(text.count, ",[{")) > MAX_ARGUMENTS:
        bare = _JSON_STRING.sub("", text)
        if sum(map(bare.count, ",[{")) > MAX_ARGUMENTS:
            raise InvalidRequest(f"there are more than {MAX_ARGUMENTS} arguments")


def _array(value: Any, depth: int) -> Array:
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"an argument has more than {MAX_DEPTH} levels")
    members = value.items() if isinstance(value, dict) else enumerate(value)
    array: Array = {}
    for key, member in members:
        if isinstance(key, str):
            key = array_key(key)
        array[key] = _php_value(member, depth)
    return array


def _php_value(value: Any, depth: int) -> Value:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return _array(value, depth + 1)
    return "1" if value else ""


def _float(digits: str) -> str:
    number = float(digits)
    if math.isinf(number):
        return "INF" if number > 0 else "-INF"
    return float_text(number).upper()


def _constant(word: str) -> NoReturn:
    raise InvalidRequest("the JSON body is broken")
