"""Short pauses while waiting for SQLite's write lock.

Measured with redeeming clients, the slowest hundredth beside that with SQLite's own pauses: 32 and
323 ms with 4 of them, 159 and 330 with 8.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from peewee import OperationalError

from models.store import clock
from models.store.sqlite_file import PlacedSqlite

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.0002, 0.02
PART_OF_WAIT = 0.25
"""The next pause at most, as a part of the time waited so far."""


class PatientSqlite(PlacedSqlite):
    """Ask for the write lock again after short pauses, for as long as `busy_timeout` says.

    SQLite's own pauses grow from 1 to 100 ms, while a redemption holds the lock for less than one:
    whoever has waited longest asks least often then, and the lock stands free meanwhile.
    """

    def begin(self, lock_type: str | None = None) -> None:
        """Begin a transaction. Raises OperationalError when the store stays locked."""
        if (lock_type or self._lock_type) != "IMMEDIATE":
            super().begin(lock_type)
            return
        milliseconds = int(dict(self._pragmas)["busy_timeout"])
        connection = self.connection()
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._begin_within(milliseconds / 1000)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {milliseconds}")

    def _begin_within(self, seconds: float) -> None:
        start = clock.elapsed()
        while True:
            try:
                super().begin("IMMEDIATE")
                return
            except OperationalError as problem:
                waited = clock.elapsed() - start
                if waited >= seconds or not _is_busy(problem):
                    raise
            pause = max(FIRST_PAUSE_SECONDS, waited * PART_OF_WAIT)
            clock.pause(min(pause, LONGEST_PAUSE_SECONDS))


def _is_busy(problem: OperationalError) -> bool:
    original: Any = getattr(problem, "orig", None)
    return bool(getattr(original, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY)
