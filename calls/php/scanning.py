"""Find every value that a request has for a few names, where the last one alone would not do.

What another PHP page is asked may be larger than what is read into arguments here, and it may take
another one of two values: nothing is folded together, and only what is asked for is kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

from calls.php.arguments import FORM, JSON, MULTIPART, from_query, kind_of, split_name
from calls.php.arrays import MAX_NAME, NAME_TOO_LONG, InvalidRequest
from calls.php.json_bodies import from_json
from calls.php.multipart import MAX_HEADERS, boundary_of, from_multipart

MOST_VALUE = 1024
"""Bytes of a value that are looked at, as they came; none that is asked for is longer."""
LARGEST_JSON = 1_048_576
"""The longest JSON that is parsed; a longer one is only searched."""
_FIRST_PIECE, _PIECE, _OVERLAP = 4096, 1_048_576, 1024
# An escaped letter may be any, so a name with one counts as one that is asked for.
_ESCAPED_NAME = rb'"[^"]{0,200}\\u[^"]{0,200}"\s*:'


class LongBody:
    """Read a body in a file as far as it is looked at, in place of its bytes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        return os.pread(self._descriptor, max(0, stop - start), start)

    def find(self, mark: bytes, start: int, stop: int) -> int:
        """Return where a mark is, wholly within these bounds, -1 if it is not there."""
        found = self[start:stop].find(mark)
        return found if found < 0 else found + start


Body = bytes | LongBody


class Found(NamedTuple):
    """Hold the values by name, in their order and each once; whether all arguments were seen."""

    values: dict[str, list[str]]
    is_all: bool


def values_of(
    names: Collection[str], query: bytes, content_type: str, body: Body, most: int
) -> Found:
    """Return the values of each of the names among the first `most` arguments of query and body.

    What is between two marks counts as an argument, even if it is none: nobody may have more read.
    A value that is an array counts as "". Raises InvalidRequest for names that are too long, and
    for a body that cannot be read.
    """
    found: dict[str, list[str]] = {name: [] for name in names}
    is_all = True
    for source in (_of_form(query), _of_body(content_type, body, names)):
        for given, value in islice(source, most):
            keys = split_name(given)
            if keys and keys[0] in found:
                text = value if len(keys) == 1 else ""
                if text not in found[keys[0]]:
                    found[keys[0]].append(text)
        is_all = is_all and next(source, None) is None
    return Found(found, is_all)


def whole_arguments(content_type: str, begun: bytes) -> bytes:
    """Return the beginning of a body up to the last argument that is surely whole in it."""
    kind = kind_of(content_type)
    if kind == FORM:
        return begun[: max(0, begun.rfind(b"&"))]
    if kind == MULTIPART:
        return begun[: max(0, begun.rfind(b"\n--" + boundary_of(content_type)))]
    return b""


def _of_body(content_type: str, body: Body, names: Collection[str]) -> Iterator[tuple[str, str]]:
    kind = kind_of(content_type)
    if kind == FORM:
        yield from _of_form(body)
    elif kind == MULTIPART and len(body):
        yield from _of_multipart(content_type, body)
    elif kind == JSON and len(body) > LARGEST_JSON:
        _search_json(body, names)
    elif kind == JSON and len(body):
        for name, value in from_json(body[:]).items():
            yield str(name), value if isinstance(value, str) else ""


def _of_form(body: Body) -> Iterator[tuple[str, str]]:
    """Yield the pairs of an urlencoded text, empty ones too, of values only their beginning."""
    at = 0
    while at < len(body):
        end = _find(body, b"&", at)
        end = len(body) if end < 0 else end
        pair = body[at : min(end, at + 3 * MAX_NAME + MOST_VALUE)]
        name, value = next(from_query(pair), ("", ""))
        if len(name) > MAX_NAME:
            raise InvalidRequest(NAME_TOO_LONG)
        yield name, value
        at = end + 1


def _of_multipart(content_type: str, body: Body) -> Iterator[tuple[str, str]]:
    """Yield the fields of a multipart form, of values only their beginning; other parts are empty.

    Each line that is the boundary begins a part, also where PHP still reads a file.
    """
    line = b"--" + boundary_of(content_type)
    at = 0 if body[: len(line)] == line else _find(body, b"\n" + line, 0) + 1 or -1
    while at >= 0:
        behind = at + len(line)
        end = _find(body, b"\n", behind)
        if end < 0:
            return
        at = _find(body, b"\n" + line, end) + 1 or -1
        if body[behind : min(end, behind + MAX_HEADERS)].removesuffix(b"\r").split(b"\0")[0]:
            yield "", ""
        else:
            stop = len(body) if at < 0 else at - 1
            begun = body[end + 1 : min(stop, end + 1 + MAX_HEADERS + MOST_VALUE)]
            # One line more, for a part whose headers end where its value is cut off.
            part = b"%b\n%b\n\n%b--" % (line, begun, line)
            name, value = next(from_multipart(content_type, part), ("", ""))
            yield name, value.removesuffix("\n").removesuffix("\r")


def _find(body: Body, mark: bytes, at: int) -> int:
    """Return where a mark is next, -1 if nowhere; in steps between which other threads go on."""
    step = _FIRST_PIECE
    while at < len(body):
        found = body.find(mark, at, at + step + len(mark) - 1)
        if found >= 0:
            return found
        at += step
        step = min(2 * step, _PIECE)
    return -1


def _search_json(body: Body, names: Collection[str]) -> None:
    """Refuse a long JSON text that has one of the names at any depth."""
    alternatives = b"|".join(re.escape(name).encode() for name in names)
    wanted = re.compile(rb'"(?:%b)"\s*:|%b' % (alternatives, _ESCAPED_NAME))
    for at in range(0, len(body), _PIECE):
        if wanted.search(body[at : at + _PIECE + _OVERLAP]):
            raise InvalidRequest("a long JSON body names the caller or the call")
