"""SQLite connections that notice when their file was moved away or replaced."""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from playhouse.pool import PooledSqliteDatabase


class _Connection(sqlite3.Connection):
    """Remember which file was opened, and whether statements wait for others; see patience.py."""

    def __init__(self, database: str, *args: Any, **options: Any) -> None:
        self.patient = True
        self.file = _file(database)
        if self.file is None and not options.get("uri"):
            # SQLite would make an empty store in its place.
            raise sqlite3.OperationalError("there is no such file")
        super().__init__(database, *args, **options)


class PlacedSqlite(PooledSqliteDatabase):
    """Use a pooled connection only while its file is at the path: not moved away nor replaced.

    SQLite itself goes on with the file that it has open, and what is written there is lost.
    """

    def init(self, database: str, **options: Any) -> None:
        """Name the file."""
        super().init(database, factory=_Connection, **options)

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Open this thread's connection, in place of an open one whose file is gone."""
        if not (self.is_closed() or self.in_transaction()):
            if self._is_closed(self._state.conn):
                self.manual_close()
            elif reuse_if_open:
                return False  # as peewee answers, but only after it has waited for its lock
        return bool(super().connect(reuse_if_open))

    def snapshot(self) -> AbstractContextManager[Any]:
        """Open a transaction that only reads; inside another, that one serves."""
        return nullcontext() if self.in_transaction() else _Snapshot(self)

    def release(self) -> None:
        """Leave this thread its connection until the next request: a file takes any number.

        Taking one out of the pool and putting it back costs an eighth of a short call.
        """
        if not self.is_closed() and self._state.conn.in_transaction:
            self.close()  # the pool undoes what was left open

    def _is_closed(self, connection: _Connection) -> bool:
        return connection.file != _file(self.database) or super()._is_closed(connection)


class _Snapshot:
    """Be a transaction that only reads: a third of what peewee does for one that may change."""

    def __init__(self, engine: PlacedSqlite) -> None:
        self._engine = engine

    def __enter__(self) -> None:
        self._engine.connection().execute("BEGIN DEFERRED")
        self._engine.push_transaction(self)

    def __exit__(self, *problem: object) -> None:
        self._engine.pop_transaction()
        connection = self._engine.connection()
        if connection.in_transaction:  # some errors of SQLite end it
            connection.execute("COMMIT")


def _file(path: str) -> tuple[int, int] | None:
    """Return what tells a file from every other one, None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
