"""SQLite connections that notice when their file was moved away or replaced."""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from playhouse.pool import PooledSqliteDatabase


class _Connection(sqlite3.Connection):
    """Remember which file was opened."""

    def __init__(self, database: str, *args: Any, **options: Any) -> None:
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

    def snapshot(self) -> AbstractContextManager[Any]:
        """Open a transaction that only reads; inside another, that one serves."""
        return nullcontext() if self.in_transaction() else self.atomic("DEFERRED")

    def rollback(self) -> Any:
        """Undo the transaction, unless SQLite has done so itself: a full disk is a reason."""
        # The statement would fail then, and its error hide the one that says what is wrong.
        return super().rollback() if self.connection().in_transaction else None

    def _is_closed(self, connection: _Connection) -> bool:
        return connection.file != _file(self.database) or super()._is_closed(connection)


def _file(path: str) -> tuple[int, int] | None:
    """Return what tells a file from every other one, None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
