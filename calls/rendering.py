"""Render rows by the thousand: a schema is dumped once for each terms row, then only filled in.

Terms never change, so what they say is constant text; the row's own columns are holes in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, cast

from marshmallow import fields

from calls import php
from calls.shapes import ACTIVE, ARCHIVED, Config, Inside, Moment, Shape, Status, config_of
from models.records import REPEAT
from models.terms import Terms

KEPT_TEMPLATES = 4096
SHOWN_AS_LIVE = f'"{ACTIVE}%.0s"'
"""A hole that takes the status of a row and shows it as live, whatever it is."""
NO_MOMENT = "0000-00-00 00:00:00"
MOMENT = "%Y-%m-%d %H:%M:%S"


def columns(shape: type[Shape]) -> tuple[str, ...]:
    """Return the columns that a row of this shape brings, in order; the id of its terms follows."""
    return tuple(
        field.attribute or name
        for name, field in _holes(shape).items()
        if not isinstance(field, Inside)
    )


def one(shape: type[Shape], row: tuple[Any, ...], zone: tzinfo = UTC) -> str:
    """Return the JSON text of one row."""
    return template(shape, row[-1]).fill([row], zone)[0]


def render(
    shape: type[Shape], rows: Iterable[tuple[Any, ...]], zone: tzinfo = UTC
) -> Iterator[str]:
    """Return the JSON text of each row: a tuple of `columns(shape)`, then the id of its terms.

    Times are shown in the zone.
    """
    for terms_id, alike in groupby(rows, key=itemgetter(-1)):
        yield from template(shape, terms_id).fill(list(alike), zone)


@lru_cache(maxsize=KEPT_TEMPLATES)
def template(shape: type[Shape], terms_id: int) -> Template:
    """Return the template of a shape under these terms."""
    return Template(shape, Terms.numbered(terms_id))


class Template:
    """Hold the JSON text of one row with printf holes for the row's own columns."""

    def __init__(self, shape: type[Shape], terms: Terms) -> None:
        holes = _holes(shape)
        # Any value will do for what is cut out again.
        blanks = {field.attribute or name: 0 for name, field in holes.items()}
        dumped = shape().dump(SimpleNamespace(**blanks, terms=terms))
        self.terms = terms
        members = []
        for key, value in dumped.items():
            if isinstance(holes.get(key), Status) and REPEAT in terms.extra:
                text = SHOWN_AS_LIVE
            elif key in holes:
                text = HOLES[type(holes[key])][0]
            else:
                text = _escaped(php.encode(value).decode())
            members.append(f"{_escaped(php.text(key))}:{text}")
        self.text = "{" + ",".join(members) + "}"
        self.converts = [
            (at, convert)
            for at, field in enumerate(holes.values())
            if (convert := HOLES[type(field)][1]) is not None
        ]

    def fill(self, rows: Sequence[tuple[Any, ...]], zone: tzinfo) -> list[str]:
        """Return the text of each row; the last member of a row is its terms id, not a hole."""
        by_column = cast(list[Sequence[Any]], [*zip(*rows, strict=True)][:-1])
        for at, convert in self.converts:
            by_column[at] = convert(by_column[at], self.terms, zone)
        return [self.text % row for row in zip(*by_column, strict=True)]


def _holes(shape: type[Shape]) -> dict[str, fields.Field[Any]]:
    """Return the fields of a shape that are the row's own, by name."""
    return {
        name: field
        for name, field in shape._declared_fields.items()
        if not (field.attribute or "").startswith("terms.")
    }


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _texts(values: Sequence[str], *_: Any) -> list[str]:
    return [php.text(value) for value in values]


def _statuses(values: Sequence[bool | None], *_: Any) -> list[str]:
    return [ACTIVE if value else ARCHIVED for value in values]


def _moments(values: Sequence[int | None], terms: Terms, zone: tzinfo) -> list[str]:
    return [
        NO_MOMENT if value is None else f"{datetime.fromtimestamp(value, zone):{MOMENT}}"
        for value in values
    ]


def _configs(values: Sequence[Any], terms: Terms, zone: tzinfo) -> list[str]:
    usual = php.encode(config_of(terms)).decode()
    return [usual if value is None else _recoded(value) for value in values]


@lru_cache(maxsize=KEPT_TEMPLATES)
def _recoded(stored: str) -> str:
    """Return stored JSON text as PHP prints it."""
    return php.encode(json.loads(stored)).decode()


HOLES: dict[type[fields.Field[Any]], tuple[str, Callable[..., Sequence[Any]] | None]] = {
    php.Int: ("%d", None),
    php.IntStr: ('"%d"', None),
    php.Flag01: ('"%d"', None),
    php.Str: ("%s", _texts),
    Status: ('"%s"', _statuses),
    Moment: ('"%s"', _moments),
    Config: ("%s", _configs),
    Inside: ("%s", None),
}
"""How each field type stands in a template: its hole, and what makes a column of values fit it."""
