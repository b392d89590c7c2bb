"""Read the tables of a store in a form that all engines share, and digest them."""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from peewee import (  # type: ignore[attr-defined] # its stubs leave sort_models out
    BlobField,
    BooleanField,
    CharField,
    DateField,
    sort_models,
)

import models
from models.store.base import Row
from models.store.engine import Engine
from models.store.servers import Postgresql

ROWS, BLOB_ROWS = 1000, 50
"""Rows that are held in memory at once: of most tables, and of those with columns for bytes."""
Rows = list[list[Any]]
"""Rows of all columns; dates are texts, JSON is as it is kept."""


class Content(NamedTuple):
    """Hold the number of rows of a table, and the SHA-256 of them in the order of their keys."""

    rows: int
    digest: str


@cache
def tables() -> tuple[type[Row], ...]:
    """Return the tables of a store, those that others refer to before these."""
    for module in pkgutil.walk_packages(models.__path__, "models."):
        # The driver of MariaDB need not be installed.
        if not module.name.rpartition(".")[2].startswith("mariadb_"):
            importlib.import_module(module.name)
    own = [each for each in Row.__subclasses__() if each.__module__.startswith("models.")]
    return tuple(sort_models(own))


def read(
    store: Engine, take: Callable[[type[Row], Rows], object] = lambda table, rows: None
) -> dict[str, Content]:
    """Pass one state of a store to `take` by chunks of rows; return counts and digests."""
    found = {}
    with store.snapshot():
        for table in tables():
            digest, count = hashlib.sha256(), 0
            for rows, text in _slices(store, table):
                digest.update(text)
                count += len(rows)
                take(table, rows)
            found[table._meta.table_name] = Content(count, digest.hexdigest())
    return found


def _slices(store: Engine, table: type[Row]) -> Iterator[tuple[Rows, bytes]]:
    """Yield the rows of a table by the order of their keys, with their text for the digest."""
    fields, order = table._meta.sorted_fields, table._meta.primary_key
    key = fields.index(order)
    if isinstance(order, CharField) and isinstance(store, Postgresql):
        order = order.collate('"C"')  # by code points, as the others have it
    shared = {BooleanField: bool, DateField: str}
    columns = [(at, shared[type(each)]) for at, each in enumerate(fields) if type(each) in shared]
    has_blobs = any(isinstance(each, BlobField) for each in fields)
    query = table.select().order_by(order).limit(BLOB_ROWS if has_blobs else ROWS)
    following = query
    while found := store.execute(following).fetchall():
        rows = [*map(list, found)]
        for at, shape in columns:
            for row in rows:
                if row[at] is not None:
                    row[at] = shape(row[at])
        # The same text whatever slices the rows came in; bytes as hexadecimal digits.
        text = json.dumps(rows, separators=(",", ":"), default=bytes.hex)[1:-1] + ","
        yield rows, text.encode("ascii")
        following = query.where(order > rows[-1][key])
