"""Unchanged: an answer is remembered until something is stored, by whomever."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from models.store import counters, read_cache
from models.store.base import change, database
from models.store.read_cache import unless_changed
from tests import stores

pytestmark = pytest.mark.usefixtures("store")


class Reading:
    """Count how often the store was really read."""

    times = 0

    def __call__(self) -> int:
        """Return a count of the store."""
        self.times += 1
        return counters.count(counters.BATCHES)

    def asked(self) -> tuple[int, int]:
        """Return what the question is answered, and how often it was read so far."""
        return unless_changed("batches", self), self.times


def store_one() -> None:
    with change():
        counters.add(counters.BATCHES, 1)


def in_a_thread(work: Callable[[], None] = store_one) -> None:
    def connected() -> None:
        database.connect()
        try:
            work()
        finally:
            database.close()

    thread = threading.Thread(target=connected)
    thread.start()
    thread.join()


def in_another_program() -> None:
    with closing(sqlite3.connect(database.obj.database)) as other, other:
        other.execute("UPDATE tally SET n = n + 1 WHERE name = ?", [counters.BATCHES])


@stores.about_sqlite
def test_nothing_is_read_twice_while_nothing_is_stored() -> None:
    reading = Reading()
    assert [reading.asked() for _ in range(3)] == [(0, 1)] * 3


@stores.about_sqlite
@pytest.mark.parametrize("store_another", [store_one, in_a_thread, in_another_program])
def test_it_is_read_again_when_something_was_stored(store_another: Callable[[], None]) -> None:
    reading = Reading()
    for stored in range(4):
        assert [reading.asked() for _ in range(2)] == [(stored, stored + 1)] * 2
        store_another()


@stores.about_sqlite
def test_of_a_file_put_in_its_place_nothing_is_remembered(tmp_path: Path) -> None:
    file, other = Path(database.obj.database), tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as held, closing(sqlite3.connect(other)) as copy:
        held.backup(copy)
    answers = []

    def work() -> None:
        reading = Reading()
        answers.append(reading.asked())
        for each in file.parent.glob(f"{file.name}*"):
            each.rename(tmp_path / f"away-{each.name}")
        other.rename(file)
        database.close()  # as at the end of a request
        database.connect()
        answers.append(reading.asked())

    in_a_thread(work)
    assert answers == [(0, 1), (0, 2)]


def test_inside_a_transaction_it_is_read_each_time() -> None:
    reading = Reading()
    with change() as transaction:
        for stored in range(3):
            assert reading.asked() == (stored, stored + 1)
            store_one()
        assert reading.asked() == (3, 4)
        transaction.rollback()
    assert reading.asked() == (0, 5)


def test_only_some_answers_are_remembered() -> None:
    for number in range(3 * read_cache.MOST):
        assert unless_changed(number, lambda number=number: number) == number
    memory = database.memory()
    assert len(memory) <= read_cache.MOST if stores.SQLITE else memory is None
