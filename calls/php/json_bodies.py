"""Parse request bodies that are JSON objects, and hold all JSON bodies to one depth and number."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from calls.php.arrays import (
    MAX_ARGUMENTS,
    MAX_DEPTH,
    MAX_NAME,
    NAME_TOO_LONG,
    Array,
    InvalidRequest,
    Value,
    array_key,
)
from calls.php.encoder import float_text

# An unclosed string matches to the end of the text: tried again from each of its quotes, it would
# be read as often as it has quotes.
_STRUCTURE = re.compile(r'(?:[^"\[\]{},]++|"(?:[^"\\]++|\\.?)*+"?)*+([\[\]{},]?)', re.DOTALL)


def check_json(text: str, most: int) -> None:
    """Refuse a JSON text of more than `most` members or `MAX_DEPTH` levels before it is parsed.

    Members are counted by what separates them, whatever their depth; levels below the outermost
    object or list. Text that is no JSON may pass. Raises InvalidRequest.
    """
    if sum(map(text.count, ",[{")) <= min(most, MAX_DEPTH):
        return
    members = depth = 0
    for found in _STRUCTURE.finditer(text):
        mark = found[1]
        if mark in ("]", "}", ""):
            depth -= 1
            if depth <= 0:  # what follows the outermost value is no JSON
                return
            continue
        members += 1
        if members > most:
            raise InvalidRequest(f"there are more than {most} members")
        depth += mark != ","
        if depth > MAX_DEPTH + 1:
            raise InvalidRequest(f"there are more than {MAX_DEPTH} levels")


def from_json(body: bytes) -> Array:
    """Return a JSON object with its scalars as PHP's texts: true "1", false and null "".

    An empty body and `[]`, which is how PHP prints an array without members, are no arguments.
    Numbers keep all their digits. Raises InvalidRequest for anything else, beyond the limits, and
    for a name that comes twice.
    """
    try:
        text = body.decode().strip()
        check_json(text, MAX_ARGUMENTS)
        value = json.loads(
            text or "[]",
            parse_int=str,
            parse_float=_float,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except ValueError as problem:
        raise InvalidRequest("the JSON body is broken") from problem
    if not isinstance(value, dict) and value != []:
        raise InvalidRequest("the JSON body is not an object")
    return _array(value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    # In a form the last plain value wins, as PHP promises; no client has made such an object.
    if len(members) < len(pairs):
        raise InvalidRequest("the JSON body has a name twice")
    return members


def _array(value: Any) -> Array:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    array: Array = {}
    for key, member in members:
        if isinstance(key, str):
            if len(key) > MAX_NAME:
                raise InvalidRequest(NAME_TOO_LONG)
            key = array_key(key)
        array[key] = _php_value(member)
    return array


def _php_value(value: Any) -> Value:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return _array(value)
    return "1" if value else ""


def _float(digits: str) -> str:
    number = float(digits)
    if math.isinf(number):
        return "INF" if number > 0 else "-INF"
    return float_text(number).upper()


def _constant(word: str) -> NoReturn:
    raise InvalidRequest("the JSON body is broken")
