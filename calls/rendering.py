"""Render rows by the thousand: a schema is dumped once for each terms row, then only filled in.

Terms never change, so what they say is constant text; the row's own columns are holes in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache, lru_cache
from json.encoder import encode_basestring_ascii
from types import SimpleNamespace
from typing import Any

from marshmallow import fields

from calls import php
from calls.shapes import ACTIVE, ARCHIVED, Config, Inside, Moment, Shape, Status, config_of
from models.records import REPEAT
from models.terms import Terms

KEPT = 4096
"""How many templates, times and configurations are kept, each."""
HOLE = "\0"
"""Stands in a template for a value of the row; no JSON text holds it."""
NO_MOMENT = "0000-00-00 00:00:00"


@cache
def columns(shape: type[Shape]) -> tuple[str, ...]:
    """Return the columns that a row of this shape brings, in order; the id of its terms follows."""
    return tuple(
        field.attribute or name
        for name, field in _holes(shape).items()
        if not isinstance(field, Inside)
    )


def one(shape: type[Shape], row: tuple[Any, ...], zone: tzinfo = UTC) -> str:
    """Return the JSON text of one row."""
    return texts(shape, [row], zone)[0]


def texts(shape: type[Shape], rows: Sequence[tuple[Any, ...]], zone: tzinfo = UTC) -> list[str]:
    """Return the JSON text of each row: a tuple of `columns(shape)`, then the id of its terms.

    Times are shown in the zone.
    """
    if not rows:
        return []
    # Column by column for all rows at once: a call for each value would cost more than its text.
    *values, terms_ids = zip(*rows, strict=True)
    templates = [template(shape, terms_id) for terms_id in terms_ids]
    first, *between = zip(*(each.literals for each in templates), strict=True)
    parts: list[Iterable[str]] = [first]
    for convert, column, literals in zip(_converts(shape), values, between, strict=True):
        parts += convert(column, templates, zone), literals
    return list(map("".join, zip(*parts, strict=True)))


@lru_cache(maxsize=KEPT)
def template(shape: type[Shape], terms_id: int) -> Template:
    """Return the template of a shape under these terms."""
    return Template(shape, Terms.numbered(terms_id))


class Template:
    """Hold the JSON text around the holes of a row, and what else its terms decide."""

    def __init__(self, shape: type[Shape], terms: Terms) -> None:
        holes = _holes(shape)
        # Any value will do for what is cut out again.
        blanks = {field.attribute or name: 0 for name, field in holes.items()}
        dumped = shape().dump(SimpleNamespace(**blanks, terms=terms))
        members = []
        for key, value in dumped.items():
            text = HOLES[type(holes[key])][0] if key in holes else php.encode(value).decode()
            members.append(f"{php.text(key)}:{text}")
        self.literals = ("{" + ",".join(members) + "}").split(HOLE)
        self.config = php.encode(config_of(terms)).decode()
        self.shown_as_live = REPEAT in terms.extra


def _holes(shape: type[Shape]) -> dict[str, fields.Field[Any]]:
    """Return the fields of a shape that are the row's own, by name."""
    return {
        name: field
        for name, field in shape._declared_fields.items()
        if not (field.attribute or "").startswith("terms.")
    }


@cache
def _converts(shape: type[Shape]) -> list[Convert]:
    return [HOLES[type(field)][1] for field in _holes(shape).values()]


def _numbers(values: Sequence[int], templates: Sequence[Template], zone: tzinfo) -> Iterable[str]:
    return map(str, map(int, values))  # a driver may bring a bool


def _texts(values: Sequence[str], templates: Sequence[Template], zone: tzinfo) -> Iterable[str]:
    together = "".join(values)
    if together.isascii() and "/" not in together and "\x7f" not in together:
        return map(encode_basestring_ascii, values)  # what php.text does, for all at once
    return map(php.text, values)


def _statuses(
    values: Sequence[bool | None], templates: Sequence[Template], zone: tzinfo
) -> Iterable[str]:
    return [
        ACTIVE if value or template.shown_as_live else ARCHIVED
        for value, template in zip(values, templates, strict=True)
    ]


def _moments(
    values: Sequence[int | None], templates: Sequence[Template], zone: tzinfo
) -> Iterable[str]:
    return [NO_MOMENT if value is None else _moment(value, zone) for value in values]


@lru_cache(maxsize=KEPT)
def _moment(seconds: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(seconds, zone).isoformat(" ")[: len(NO_MOMENT)]


def _configs(
    values: Sequence[str | None], templates: Sequence[Template], zone: tzinfo
) -> Iterable[str]:
    return [
        template.config if value is None else _recoded(value)
        for value, template in zip(values, templates, strict=True)
    ]


@lru_cache(maxsize=KEPT)
def _recoded(stored: str) -> str:
    """Return stored JSON text as PHP prints it."""
    return php.encode(json.loads(stored)).decode()


def _as_they_are(
    values: Sequence[str], templates: Sequence[Template], zone: tzinfo
) -> Iterable[str]:
    return values


Convert = Callable[[Sequence[Any], Sequence[Template], tzinfo], Iterable[str]]
HOLES: dict[type[fields.Field[Any]], tuple[str, Convert]] = {
    php.Int: (HOLE, _numbers),
    php.IntStr: (f'"{HOLE}"', _numbers),
    php.Flag01: (f'"{HOLE}"', _numbers),
    php.Str: (HOLE, _texts),
    Status: (f'"{HOLE}"', _statuses),
    Moment: (f'"{HOLE}"', _moments),
    Config: (HOLE, _configs),
    Inside: (HOLE, _as_they_are),
}
"""How each field type stands in a template, and what makes a column of values into texts."""
