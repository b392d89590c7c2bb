"""Backups: a file that holds a copy of the store, whatever engine it is on, and its digests.

The file is an SQLite store of its own. One format, made by the copy of db copy from one snapshot,
can be restored on any engine, needs no programs of the engine, and is proved row by row, which
SQLite's own backup, a copy of pages with whatever is wrong in them, is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from peewee import BigIntegerField, Model

from app import other_stores
from app.exchange import private_files
from models.store import clock
from models.store.base import JSONText
from models.store.engines import Engine, Sqlite
from models.store.errors import Conflict, Invalid
from models.transfer import copying
from models.transfer.copying import Content, Progress

UNSAFE_UNTIL_WHOLE = {"journal_mode": "memory", "synchronous": "off", "cache_size": -65536}
"""A backup that is broken off is thrown away: it needs no journal while it is written."""


class Summary(Model):
    """Keep what a backup file holds, in its one row of this table; `made_at` is Unix seconds."""

    made_at = BigIntegerField()
    tables = JSONText()

    class Meta:
        table_name = "backup"


class Backup(NamedTuple):
    """Tell when a backup was made, and what it holds by table."""

    made_at: int
    tables: dict[str, Content]


def make(source: Engine, file: Path, progress: Progress, force: bool = False) -> Backup:
    """Write what a store holds at one moment to a file for its owner only; writers go on.

    The file appears when it is whole and on the disk. Raises Conflict for one that is there,
    unless forced, and for the store itself; Invalid where none can be written.
    """
    if isinstance(source, Sqlite) and file.exists() and file.samefile(source.database):
        raise Conflict(f"{file} is the store itself")
    if file.exists() and not force:
        raise Conflict(f"{file} is there already: use --force to replace it")
    with private_files.in_place_of(file) as name:
        target = Sqlite(str(name), pragmas=UNSAFE_UNTIL_WHOLE)
        try:
            with target.connection_context():
                made_at = clock.now()
                tables = copying.transfer(source, target, progress)
                with target.bind_ctx([Summary]):
                    target.create_tables([Summary])
                    Summary.create(made_at=made_at, tables=tables)
        finally:
            target.close_all()
    return Backup(made_at, tables)


def restore(file: Path, target: Engine, progress: Progress, replace: bool = False) -> Backup:
    """Make a store hold what a backup holds, once the file is proved to be whole and unchanged.

    A store that holds anything is refused without `replace`; a restore that was broken off goes
    on. Raises Conflict, Invalid and SchemaMismatch, DatabaseError for a file that is unreadable.
    """
    source = other_stores.existing_file(file, "FILE")
    try:
        with source.connection_context():
            backup = _proved(source, file, progress)
            copying.transfer(source, target, progress, replace)
    finally:
        source.close_all()
    return backup


def _proved(source: Engine, file: Path, progress: Progress) -> Backup:
    if source.execute_sql("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise Invalid(f"{file} is damaged")
    if Summary._meta.table_name not in source.get_tables():
        raise Invalid(f"{file} was not made by `promobridge db backup`")
    copying.require_store(source)
    with source.bind_ctx([Summary]):
        summary: Any = Summary.get()
    tables = {name: Content(*content) for name, content in summary.tables.items()}
    total = sum(content.rows for content in tables.values())
    with progress("Checking", total) as advance:
        found = copying.contents(source, advance)
    if found != tables:
        raise Invalid(f"{file} was changed after it was made")
    return Backup(summary.made_at, tables)
