"""Copies of a whole store in another database, on whatever engine, proved equal row by row."""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, NamedTuple

from peewee import (  # type: ignore[attr-defined] # its stubs leave sort_models out
    DataError,
    IntegrityError,
    sort_models,
)

import models
from models.promotions.expiry import Sweep
from models.store import schema
from models.store.base import Row
from models.store.counters import Tally
from models.store.engines import Engine
from models.store.errors import Conflict, Invalid, SchemaMismatch
from models.transfer import copy_marks
from models.transfer.copy_sides import Cells, Side, is_numbered, side

ROWS, FIRST_ROWS = 10_000, 100
"""Rows that are held in memory at once: at most, and before their size is known."""
BYTES = 4 << 20
"""About how many bytes of rows are held at once."""
DRIVEN = {"models.store.mariadb_connection"}
"""Modules without tables that cannot be had without an engine's driver."""
OF_ENGINES = {"sqlite_sequence", "sqlite_stat1"}
"""Tables that an engine makes for itself."""
Advance = Callable[[int], object]
Progress = Callable[[str, int], AbstractContextManager[Advance]]


class Content(NamedTuple):
    """Sum up a table: how many rows, and the digest of all of them by order of their keys."""

    rows: int
    digest: str


class Sum:
    """Make the digest of rows while they pass."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._rows = 0

    def add(self, rows: Sequence[Cells]) -> int:
        """Take more rows and return how many bytes they are as text."""
        # The same text whatever slices the rows came in; bytes as hexadecimal digits.
        text = json.dumps(rows, separators=(",", ":"), default=bytes.hex)[1:-1] + ","
        self._digest.update(text.encode("ascii"))
        self._rows += len(rows)
        return len(text)

    def content(self) -> Content:
        """Return what was taken."""
        return Content(self._rows, self._digest.hexdigest())


@cache
def tables() -> tuple[type[Row], ...]:
    """Return the tables of a store, those that others refer to before these."""
    for module in pkgutil.walk_packages(models.__path__, "models."):
        if module.name not in DRIVEN and ".migrations" not in module.name:
            importlib.import_module(module.name)
    own = [each for each in Row.__subclasses__() if each.__module__.startswith("models.")]
    return tuple(sort_models(own))


def transfer(
    source: Engine, target: Engine, progress: Progress, replace: bool = False
) -> dict[str, Content]:
    """Make the target hold what the source holds at one moment, and return what that is by table.

    What of it is there from an attempt that was broken off stays. Without `replace` a target that
    holds anything else is refused. Until the end no server starts on it. Raises Conflict, Invalid
    and SchemaMismatch.
    """
    here, there = side(source), side(target)
    with source.snapshot():
        require_store(source)
        if here.identity() == there.identity():
            raise Conflict("These are the same database: a copy needs another one")
        _take(source, there, replace)
        total = sum(here.count(table) for table in tables())
        with progress("Copying", total) as advance:
            copied = _copy(here, there, advance)
        lasts = {table: here.last_id(table) for table in tables() if is_numbered(table)}
    with progress("Verifying", total) as advance:
        found = contents(target, advance)
    different = [name for name, content in copied.items() if found[name] != content]
    if different:
        raise Conflict(
            f"The copy differs in {', '.join(different)}: "
            "nothing else may write to the target meanwhile"
        )
    for table, last in lasts.items():
        there.reserve_ids(table, last)
    there.finish()
    copy_marks.remove(target)
    return copied


def contents(store: Engine, on_progress: Advance = lambda rows: None) -> dict[str, Content]:
    """Return what a store holds at one moment, by table; `on_progress` is told of rows read."""
    found = {}
    with store.snapshot():
        for table in tables():
            content = Sum()
            for rows in _slices(side(store), table, content):
                on_progress(len(rows))
            found[table._meta.table_name] = content.content()
    return found


def require_store(store: Engine) -> None:
    """Refuse a database that is no whole store of this version, making nothing.

    Raises Invalid and SchemaMismatch.
    """
    if not schema.applied(store):
        raise Invalid("The source holds no promobridge store")
    schema.require_current(store)


def _take(source: Engine, there: Side, replace: bool) -> None:
    """Mark the target as a part of a copy of the source, and give it the schema."""
    mark = copy_marks.of(source)
    marked = copy_marks.found(there.store)
    if marked and marked != mark and not replace:
        raise Conflict(
            "The target holds a part of a copy of another store: copy that one again, "
            "or name an empty database"
        )
    if not marked:
        own = {table._meta.table_name for table in tables()}
        others = set(there.store.get_tables()) - own - {schema.HISTORY} - OF_ENGINES
        if others:
            raise Conflict(
                f"The target holds tables of something else ({', '.join(sorted(others)[:3])}): "
                "name an empty database"
            )
        if schema.applied(there.store):
            schema.require_current(there.store)
            if not replace:
                _require_empty(there)
    copy_marks.put(there.store, mark)
    schema.upgrade(there.store)
    if schema.applied(there.store).keys() - {mark} != schema.applied(source).keys():
        raise SchemaMismatch("The target has a schema of another version: name an empty database")


def _require_empty(there: Side) -> None:
    for table in tables():
        rows = there.count(table)
        if table is Tally:
            rows = sum(1 for _, n in there.rows(table, None, ROWS) if n)
        if rows and table is not Sweep:
            raise Conflict(
                f"The target holds something already ({rows:,} of {table._meta.table_name}): "
                "name an empty database"
            )


def _copy(here: Side, there: Side, on_progress: Advance) -> dict[str, Content]:
    """Let the target go on from where it differs, by the order of tables and keys."""
    copied = {}
    equal = True
    for number, table in enumerate(tables()):
        content = Sum()
        key = table._meta.sorted_fields.index(table._meta.primary_key)
        after = None
        for rows in _slices(here, table, content):
            kept = _equal(rows, there.rows(table, after, len(rows))) if equal else 0
            if equal and kept < len(rows):
                equal = False
                _cut(there, number, rows[kept - 1][key] if kept else after)
            _store(there, table, rows[kept:], key)
            after = rows[-1][key]
            on_progress(len(rows))
        if equal and there.rows(table, after, 1):
            equal = False
            _cut(there, number, after)
        copied[table._meta.table_name] = content.content()
    return copied


def _slices(of: Side, table: type[Row], content: Sum) -> Iterator[list[Cells]]:
    """Yield the rows of a table by the order of their keys, and sum them up."""
    key = table._meta.sorted_fields.index(table._meta.primary_key)
    after, limit = None, FIRST_ROWS
    while rows := of.rows(table, after, limit):
        after = rows[-1][key]
        size = content.add(rows)
        yield rows
        limit = max(1, min(ROWS, len(rows) * BYTES // size))


def _equal(rows: Sequence[Cells], others: Sequence[Cells]) -> int:
    """Return how many rows from the first on are the same."""
    if rows == others:
        return len(rows)
    pairs = enumerate(zip(rows, others, strict=False))
    return next((at for at, (one, other) in pairs if one != other), len(others))


def _cut(there: Side, number: int, after: Any) -> None:
    """Delete what follows a key of a table and all tables after it, which may refer to it."""
    for table in reversed(tables()[number + 1 :]):
        there.cut(table, None)
    there.cut(tables()[number], after)


def _store(there: Side, table: type[Row], rows: Sequence[Cells], key: int) -> None:
    """Write rows in one transaction; of those that are refused find the first."""
    if not rows:
        return
    try:
        with there.store.atomic():
            there.write(table, rows)
    except (DataError, IntegrityError) as problem:
        if len(rows) > 1:
            _store(there, table, rows[: len(rows) // 2], key)
            _store(there, table, rows[len(rows) // 2 :], key)
            return
        said = str(problem.args[-1]).partition("\n")[0]
        name = f"{table._meta.table_name} {rows[0][key]!r}"
        raise Invalid(f"The target refuses {name}: {said}") from None
