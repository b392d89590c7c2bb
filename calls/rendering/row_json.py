"""Render rows as JSON: dump a schema once for each terms row, then fill in the rest.

Terms never change, so theirs is constant text; the row's own columns are filled in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from functools import cache, lru_cache
from itertools import chain
from json.encoder import encode_basestring_ascii
from types import SimpleNamespace
from typing import Any

from marshmallow import fields

from calls import php
from calls.wire.schemas import ACTIVE, ARCHIVED, Config, CouponList, Shape, Status, config_of
from models.promotions.terms import REPEAT, Terms
from models.store.prepared import text_of

KEPT = 4096
"""How many templates, times and configurations are kept, each."""
HOLE = "\0"
"""Stands in a template for a value of the row; no JSON text holds it."""
QUOTED = f'"{HOLE}"'
LIVE, NOT_LIVE = "1", ("", "0")
"""What the column of a live row holds, and of an archived one: a coupon's NULL, a batch's false."""


@cache
def columns(shape: type[Shape]) -> tuple[str, ...]:
    """Return the columns that a row of this shape brings, in order; the id of its terms follows."""
    return tuple(
        field.attribute or name
        for name, field in _holes(shape).items()
        if not isinstance(field, CouponList)
    )


def of_rows(shape: type[Shape], rows: Sequence[tuple[Any, ...]], places: int) -> Iterator[str]:
    """Yield the JSON text of each row: its `columns(shape)`, then the id of its terms."""
    return render(shape, [[*map(text_of, column)] for column in zip(*rows, strict=True)], places)


def render(
    shape: type[Shape],
    columns: Sequence[Sequence[str]],
    places: int,
    zone: tzinfo = UTC,
    sizes: Iterable[int] | None = None,
) -> Iterator[str]:
    """Yield the JSON text of each row; the rows come as columns of texts, like Prepared's.

    With `sizes`, so many rows together are one text, commas between them. A value for a CouponList
    is the text between the brackets. Amounts have the currency's places, times are the zone's.
    """
    if not columns:
        return
    # Column by column for all rows at once: a call for each value would cost more than its text.
    *values, terms_ids = columns
    templates = [*map(_templates(shape, places), terms_ids)]
    parts: list[str] = []
    for template in templates:
        parts += template.parts
    width = len(template.parts)
    for at, (field, column) in enumerate(zip(_holes(shape).values(), values, strict=True)):
        _, convert = HOLES[type(field)]
        parts[2 * at + 2 :: width] = convert(column, templates, zone) if convert else column
    start = 0
    for size in sizes or [1] * len(templates):
        stop = start + size * width
        yield "".join(parts[start + 1 : stop])  # the first part is a comma
        start = stop


@cache
def _templates(shape: type[Shape], places: int) -> Callable[[str], Template]:
    """Return the cached function from the id of terms to the template of a shape."""
    schema = shape(places)
    return lru_cache(KEPT)(lambda terms_id: Template(schema, Terms.by_id(int(terms_id))))


class Template:
    """Hold the JSON text around the holes of a row, and what else its terms decide."""

    def __init__(self, schema: Shape, terms: Terms) -> None:
        holes = _holes(type(schema))
        # Any value will do for what is cut out again.
        blanks = {field.attribute or name: 0 for name, field in holes.items()}
        dumped = schema.dump(SimpleNamespace(**blanks, terms=terms))
        members = []
        for key, value in dumped.items():
            text = HOLES[type(holes[key])][0] if key in holes else php.encode(value).decode()
            members.append(f"{php.text(key)}:{text}")
        first, *rest = ("{" + ",".join(members) + "}").split(HOLE)
        self.parts = (",", first, *chain.from_iterable((HOLE, literal) for literal in rest))
        self.config = php.encode(config_of(terms)).decode()
        self.shown_as_live = REPEAT in terms.extra


@cache
def _holes(shape: type[Shape]) -> dict[str, fields.Field[Any]]:
    """Return the fields of a shape that are the row's own, by name."""
    return {
        name: field
        for name, field in shape._declared_fields.items()
        if not (field.attribute or "").startswith("terms.")
    }


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
    return [_moment(seconds, zone) for seconds in values]


@lru_cache(KEPT)
def _moment(seconds: str, zone: tzinfo) -> str:
    return php.moment_text(int(seconds), zone) if seconds else php.NO_MOMENT


def _configs(values: Sequence[str], templates: Sequence[Template], zone: tzinfo) -> Iterable[str]:
    return [
        _recoded(value) if value else template.config
        for value, template in zip(values, templates, strict=True)
    ]


@lru_cache(KEPT)
def _recoded(stored: str) -> str:
    """Return a configuration as PHP prints it, of its stored JSON text."""
    return php.encode(json.loads(stored)).decode()


Convert = Callable[[Sequence[str], Sequence[Template], tzinfo], Iterable[str]]
HOLES: dict[type[fields.Field[Any]], tuple[str, Convert | None]] = {
    php.Int: (HOLE, None),
    php.IntStr: (QUOTED, None),
    php.Flag01: (QUOTED, None),
    php.Str: (HOLE, _texts),
    Status: (QUOTED, _statuses),
    php.Moment: (QUOTED, _moments),
    Config: (HOLE, _configs),
    CouponList: (f"[{HOLE}]", None),
}
"""How each field type stands in a template, and what makes a column of values into texts, if the
column does not hold them as they are."""
