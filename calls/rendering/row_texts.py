"""Render rows by the thousand: dump a schema once for each terms row, then fill in the rest.

Terms never change, so what they say is constant text; the row's own columns are holes in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache
from itertools import chain
from json.encoder import encode_basestring_ascii
from types import SimpleNamespace
from typing import Any, TypeVar

from marshmallow import fields

from calls import php
from calls.wire.schemas import ACTIVE, ARCHIVED, Config, Inside, Moment, Shape, Status, config_of
from models.promotions.terms import REPEAT, Terms
from models.store.prepared import Found, text_of

KEPT = 4096
"""How many templates, times and configurations are kept, each."""
HOLE = "\0"
"""Stands in a template for a value of the row; no JSON text holds it."""
QUOTED = f'"{HOLE}"'
NO_MOMENT = "0000-00-00 00:00:00"
LIVE, NOT_LIVE = "1", ("", "0")
"""What the column of a live row holds, and of an archived one: a coupon's NULL, a batch's false."""
Made = TypeVar("Made")


@cache
def columns(shape: type[Shape]) -> tuple[str, ...]:
    """Return the columns that a row of this shape brings, in order; the id of its terms follows."""
    return tuple(
        field.attribute or name
        for name, field in _holes(shape).items()
        if not isinstance(field, Inside)
    )


def one(shape: type[Shape], row: tuple[Any, ...], zone: tzinfo = UTC) -> str:
    """Return the JSON text of a row: its `columns(shape)`, then the id of its terms."""
    return next(texts(shape, [[text_of(value)] for value in row], zone))


def of_rows(
    shape: type[Shape], rows: Sequence[tuple[Any, ...]], zone: tzinfo = UTC
) -> Iterator[str]:
    """Yield the JSON text of each of these rows; they are rendered at the first question."""
    columns = [list(map(text_of, column)) for column in zip(*rows, strict=True)]
    yield from texts(shape, columns, zone)


def of_found(shape: type[Shape], found: Found) -> Iterator[str]:
    """Yield the JSON text of each row that was found; they are rendered at the first question."""
    yield from texts(shape, found.columns())


def texts(
    shape: type[Shape], columns: Sequence[Sequence[Any]], zone: tzinfo = UTC
) -> Iterator[str]:
    """Yield the JSON text of each row; the rows come as columns of texts, like Prepared's.

    A value for an Inside is a list of texts that stand there one after the other, between the marks
    of a list. Times are shown in the zone.
    """
    parts, width = _parts(shape, columns, zone)
    inside = _inside(shape)
    for at in range(0, len(parts), width):
        row = parts[at + 1 : at + width]
        if inside is not None:
            row[inside : inside + 1] = row[inside]
        yield "".join(row)


def lists(
    shape: type[Shape], columns: Sequence[Sequence[str]], sizes: Iterable[int], zone: tzinfo = UTC
) -> Iterator[list[str]]:
    """Yield the same rows as members of lists, so many of them in each, one at least.

    They come in parts for an Inside: whole, they would be copied once more.
    """
    parts, width = _parts(shape, columns, zone)
    start = 0
    for size in sizes:
        stop = start + size * width
        yield parts[start + 1 : stop]
        start = stop


def _parts(
    shape: type[Shape], columns: Sequence[Sequence[Any]], zone: tzinfo
) -> tuple[list[Any], int]:
    """Return the parts of all rows, a comma before each, and how many there are of each row."""
    if not columns:
        return [], 1
    # Column by column for all rows at once: a call for each value would cost more than its text.
    *values, terms_ids = columns
    templates = [*map(_templates(shape).__getitem__, terms_ids)]
    parts: list[Any] = []
    for made in templates:
        parts += made.parts
    width = len(made.parts)
    for at, (convert, column) in enumerate(zip(_converts(shape), values, strict=True)):
        parts[2 * at + 2 :: width] = convert(column, templates, zone)
    return parts, width


class Remembered(dict[str, Made]):
    """Hold what a function makes of a text; asked by map(), it costs a third of an lru_cache."""

    def __init__(self, make: Callable[[str], Made]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> Made:
        """Make it; up to KEPT of them are remembered."""
        if len(self) >= KEPT:
            self.clear()
        made = self[text] = self._make(text)
        return made


@cache
def _templates(shape: type[Shape]) -> Remembered[Template]:
    """Return the templates of a shape by the id of their terms."""
    return Remembered(lambda terms_id: Template(shape, Terms.numbered(int(terms_id))))


class Template:
    """Hold the JSON text around the holes of a row, and what else its terms decide."""

    def __init__(self, shape: type[Shape], terms: Terms) -> None:
        holes = _holes(shape)
        # Any value will do for what is cut out again.
        blanks = {field.attribute or name: 0 for name, field in holes.items()}
        dumped = _schema(shape).dump(SimpleNamespace(**blanks, terms=terms))
        members = []
        for key, value in dumped.items():
            text = HOLES[type(holes[key])][0] if key in holes else php.encode(value).decode()
            members.append(f"{php.text(key)}:{text}")
        first, *rest = ("{" + ",".join(members) + "}").split(HOLE)
        self.parts = (",", first, *chain.from_iterable((HOLE, literal) for literal in rest))
        self.config = php.encode(config_of(terms)).decode()
        self.shown_as_live = REPEAT in terms.extra


@cache
def _schema(shape: type[Shape]) -> Shape:
    return shape()


def _holes(shape: type[Shape]) -> dict[str, fields.Field[Any]]:
    """Return the fields of a shape that are the row's own, by name."""
    return {
        name: field
        for name, field in shape._declared_fields.items()
        if not (field.attribute or "").startswith("terms.")
    }


@cache
def _inside(shape: type[Shape]) -> int | None:
    """Return where among the parts of a row its Inside is, None where it has none."""
    places = [at for at, field in enumerate(_holes(shape).values()) if isinstance(field, Inside)]
    return 2 * places[0] + 1 if places else None


@cache
def _converts(shape: type[Shape]) -> list[Convert]:
    return [HOLES[type(field)][1] for field in _holes(shape).values()]


def _texts(values: Sequence[str], templates: Sequence[Template], zone: tzinfo) -> Iterable[str]:
    # As all of them together have nothing to escape, each has not.
    together = "".join(values)
    plain = len(encode_basestring_ascii(together)) == len(together) + len('""')
    if plain and "/" not in together and "\x7f" not in together:
        return f'"{QUOTED.join(values)}"'.split(HOLE)
    return map(php.text, values)


def _statuses(values: Sequence[str], templates: Sequence[Template], zone: tzinfo) -> Iterable[str]:
    if values.count(LIVE) == len(values):
        return [ACTIVE] * len(values)
    return [
        ARCHIVED if value in NOT_LIVE and not template.shown_as_live else ACTIVE
        for value, template in zip(values, templates, strict=True)
    ]


def _moments(values: Sequence[str], templates: Sequence[Template], zone: tzinfo) -> Iterable[str]:
    return map(_written(zone).__getitem__, values)


@cache
def _written(zone: tzinfo) -> Remembered[str]:
    """Return moments as they are written in a zone, by their Unix seconds."""

    def write(seconds: str) -> str:
        if not seconds:
            return NO_MOMENT
        return datetime.fromtimestamp(int(seconds), zone).isoformat(" ")[: len(NO_MOMENT)]

    return Remembered(write)


def _configs(values: Sequence[str], templates: Sequence[Template], zone: tzinfo) -> Iterable[str]:
    return [
        _recoded[value] if value else template.config
        for value, template in zip(values, templates, strict=True)
    ]


_recoded = Remembered(lambda stored: php.encode(json.loads(stored)).decode())
"""Holds configurations as PHP prints them, by their stored JSON text."""


def _as_they_are(
    values: Sequence[str], templates: Sequence[Template], zone: tzinfo
) -> Iterable[str]:
    return values


Convert = Callable[[Sequence[str], Sequence[Template], tzinfo], Iterable[str]]
HOLES: dict[type[fields.Field[Any]], tuple[str, Convert]] = {
    php.Int: (HOLE, _as_they_are),
    php.IntStr: (QUOTED, _as_they_are),
    php.Flag01: (QUOTED, _as_they_are),
    php.Str: (HOLE, _texts),
    Status: (QUOTED, _statuses),
    Moment: (QUOTED, _moments),
    Config: (HOLE, _configs),
    Inside: (f"[{HOLE}]", _as_they_are),
}
"""How each field type stands in a template, and what makes a column of values into texts."""
