"""SQLite: one local file, and one writer at a time; others wait at BEGIN."""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from peewee import OperationalError
from playhouse.pool import PooledSqliteDatabase

from models.store import clock
from models.store.engine import Engine

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.0002, 0.02
PART_OF_WAIT = 0.25
"""The next pause at most, as a part of the time waited so far."""


class _Connection(sqlite3.Connection):
    """Remember which file was opened."""

    def __init__(self, database: str, *args: Any, **options: Any) -> None:
        self.file = _file(database)
        if self.file is None and not options.get("uri"):
            # SQLite would make an empty store in its place.
            raise sqlite3.OperationalError("there is no such file")
        super().__init__(database, *args, **options)


class Sqlite(Engine, PooledSqliteDatabase):
    """Use a pooled connection only while its file is at the path: not moved away nor replaced.

    SQLite itself goes on with the file that it has open, and what is written there is lost.
    """

    one_writer = True
    last_id_sql = "SELECT seq FROM sqlite_sequence WHERE name = ?"

    def init(self, database: str | None, **options: Any) -> None:
        """Name the file."""
        super().init(database, factory=_Connection, **options)

    def number_above(self, table: str, last: int) -> None:
        """Number new rows above an id, or above a higher one that was given."""
        with self.atomic():
            if last > self.last_id(table):
                self.execute_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
                insert = "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)"
                self.execute_sql(insert, (table, last))

    def snapshot(self) -> AbstractContextManager[Any]:
        """Open a transaction that only reads; inside another, that one serves."""
        return nullcontext() if self.in_transaction() else self.atomic("DEFERRED")

    def begin(self, *mode: str) -> None:
        """Begin a transaction. Raises OperationalError when the store stays locked.

        The lock is asked for after short pauses: SQLite's own grow from 1 to 100 ms, while a
        redemption holds it for less than one, so whoever has waited longest would ask least often.
        Measured with redeeming clients, the slowest hundredth beside that with SQLite's own
        pauses: 32 and 323 ms with 4 of them, 159 and 330 with 8.
        """
        if mode:
            super().begin(*mode)
            return
        connection = self.connection()
        connection.execute("PRAGMA busy_timeout = 0")
        start = clock.elapsed()
        try:
            while True:
                try:
                    super().begin()
                    return
                except OperationalError as problem:
                    waited = clock.elapsed() - start
                    if waited >= self.wait_seconds or not _is_busy(problem):
                        raise
                pause = max(FIRST_PAUSE_SECONDS, waited * PART_OF_WAIT)
                clock.pause(min(pause, LONGEST_PAUSE_SECONDS))
        finally:
            connection.execute(f"PRAGMA busy_timeout = {self.wait_seconds * 1000}")

    def rollback(self) -> Any:
        """Undo the transaction, unless SQLite has done so itself: a full disk is a reason."""
        # The statement would fail then, and its error hide the one that says what is wrong.
        return super().rollback() if self.connection().in_transaction else None

    def _is_closed(self, connection: _Connection) -> bool:
        return connection.file != _file(self.database) or super()._is_closed(connection)


def _file(path: str) -> tuple[int, int] | None:
    """Return what identifies the file at a path, None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_busy(problem: OperationalError) -> bool:
    original: Any = getattr(problem, "orig", None)
    return bool(getattr(original, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY)
