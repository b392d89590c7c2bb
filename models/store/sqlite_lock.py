"""Patience: how a writer waits for another one on SQLite."""

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
        connection = self.connection()
        connection.execute("PRAGMA busy_timeout = 0")
        connection.patient = False
        try:
            self._begin_within(self._milliseconds / 1000)
        except BaseException:
            self._wait_as_sqlite_does()
            raise

    def commit(self) -> Any:
        """End the transaction."""
        try:
            return super().commit()
        finally:
            self._wait_as_sqlite_does()

    def rollback(self) -> Any:
        """Undo the transaction, unless SQLite has done so itself: a full disk is a reason."""
        try:
            # The statement would fail then, and its error hide the one that says what is wrong.
            return super().rollback() if self.connection().in_transaction else None
        finally:
            self._wait_as_sqlite_does()

    def _wait_as_sqlite_does(self) -> None:
        """Let other statements, that hardly ever wait, do so: after the transaction, not in it."""
        connection = self._state.conn
        if not (self.is_closed() or connection.patient):
            connection.execute(f"PRAGMA busy_timeout = {self._milliseconds}")
            connection.patient = True

    @property
    def _milliseconds(self) -> int:
        return int(dict(self._pragmas)["busy_timeout"])

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
