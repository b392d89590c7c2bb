"""Backups: a file that holds a copy of the store and the digests of its tables.

It is an SQLite store of its own, whatever engine the store is on: restored to any engine, without
programs of the engine, and verified row by row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from peewee import DatabaseError

from app.exchange import private_files
from models.store import clock
from models.store.engine import Engine
from models.store.errors import Conflict, Invalid
from models.store.sqlite import Sqlite
from models.transfer.copy import Advance, copy_store, require_store
from models.transfer.tables import Content, read

READ_ONLY = {"busy_timeout": 30_000, "query_only": 1}
UNSAFE_UNTIL_WHOLE = {"journal_mode": "memory", "synchronous": "off", "cache_size": -65536}
"""A backup that is broken off is thrown away: it needs no journal while it is written."""
Backup = tuple[int, dict[str, Content]]
"""When a backup was made, as Unix seconds, and what it holds by table."""


@contextmanager
def connected(engine: Engine) -> Iterator[Engine]:
    """Open a connection to a database, and close all of them. Raises Invalid for a damaged file."""
    try:
        with engine.connection_context():
            yield engine
    except DatabaseError as problem:
        if type(problem) is not DatabaseError:
            raise
        raise Invalid(f"The file is no database, or damaged: {problem}") from None
    finally:
        engine.close_all()


def existing(file: Path) -> Engine:
    """Return the store that a file holds, to read from. Raises Invalid without a file."""
    if not file.is_file():
        raise Invalid(f"There is no file {file}")
    # With mode=ro SQLite opens no store with a WAL in a folder for reading only.
    return Sqlite(f"file:{quote(str(file))}?mode=rw", uri=True, pragmas=READ_ONLY)


def make(source: Engine, file: Path, advance: Advance, force: bool = False) -> Backup:
    """Write what a store holds at one moment to a file for its owner only; writers go on.

    The file appears when it is whole and on the disk. Raises Conflict for one that is there,
    unless forced, and for the store itself; Invalid where none can be written.
    """
    _require_another(source, file)
    if file.exists() and not force:
        raise Conflict(f"{file} is there already: use --force to replace it")
    with (
        private_files.replacing(file) as name,
        connected(Sqlite(str(name), pragmas=UNSAFE_UNTIL_WHOLE)) as target,
    ):
        backup = clock.now(), copy_store(source, target, advance)
        target.execute_sql("CREATE TABLE backup AS SELECT ? AS summary", (json.dumps(backup),))
    return backup


def restore(file: Path, target: Engine, advance: Advance, replace: bool = False) -> Backup:
    """Make a store hold what a backup holds, once the file is verified to be whole and unchanged.

    A store that is there is refused without `replace`. Raises Conflict, Invalid, SchemaMismatch.
    """
    _require_another(target, file)
    with connected(existing(file)) as source:
        if "backup" not in source.get_tables():
            raise Invalid(f"{file} was not made by `promobridge db backup`")
        require_store(source)
        made_at, tables = json.loads(source.execute_sql("SELECT summary FROM backup").fetchone()[0])
        tables = {name: Content(*each) for name, each in tables.items()}
        if read(source) != tables:
            raise Invalid(f"{file} was changed after it was made")
        copy_store(source, target, advance, replace)
    return made_at, tables


def _require_another(store: Engine, file: Path) -> None:
    if isinstance(store, Sqlite) and file.exists() and file.samefile(store.database):
        raise Conflict(f"{file} is the store itself")
