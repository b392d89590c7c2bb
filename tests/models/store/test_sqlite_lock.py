"""Patience: a writer on SQLite gets the lock soon after it is free, or is told in time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from peewee import OperationalError

from app import config
from models.store import clock, counters
from models.store.base import change, database
from tests import stores

pytestmark = stores.about_sqlite  # its one lock for all writers


@pytest.fixture
def other(store: config.Settings) -> Iterator[sqlite3.Connection]:
    """Return a connection of another program that holds the write lock."""
    with closing(
        sqlite3.connect(
            database.obj.database, timeout=0, isolation_level=None, check_same_thread=False
        )
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_a_writer_waits_until_the_lock_is_free(
    other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()
    monkeypatch.setattr(clock, "pause", lambda most: waits.set())

    def free() -> None:
        waits.wait()
        other.execute("COMMIT")

    freeing = threading.Thread(target=free)
    freeing.start()
    with change():
        counters.add(counters.BATCHES, 1)
    freeing.join()
    assert counters.count(counters.BATCHES) == 1


def test_a_writer_that_waited_too_long_is_told(
    other: sqlite3.Connection, store: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, pauses = [0.0], []

    def pause(most: float) -> None:
        pauses.append(most)
        now[0] += most

    monkeypatch.setattr(clock, "elapsed", lambda: now[0])
    monkeypatch.setattr(clock, "pause", pause)
    with pytest.raises(OperationalError, match="locked"), change():
        pass
    assert store.database_timeout_seconds <= now[0] < store.database_timeout_seconds + 1
    assert pauses == sorted(pauses)
    assert 0 < pauses[0] < pauses[-1] < 0.1
    # Other statements wait as SQLite does it, and the next transaction is a new one.
    (left,) = database.execute_sql("PRAGMA busy_timeout").fetchone()
    assert left == store.database_timeout_seconds * 1000
    other.execute("COMMIT")
    with change():
        counters.add(counters.BATCHES, 1)
