"""Together: changes of threads that wait for the writer at the same moment are one transaction."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from functools import partial
from typing import Any

import pytest
from peewee import OperationalError

from app import config
from models.promotions import coupons
from models.promotions.terms import Terms
from models.redemptions import redemption_log, redemptions
from models.redemptions.use_rules import Use
from models.store import clock, counters
from models.store import group_commit as queue
from models.store.base import change, database
from models.store.group_commit import run_in_group
from tests import stores

pytestmark = stores.about_sqlite  # its one writer
PATIENCE_SECONDS = 20
add = partial(counters.add, counters.BATCHES, 1)


class Refusal(Exception):
    """Fail a change."""


class Crowd:
    """Let threads make a change each; nothing of it runs until `free`."""

    def __init__(self, other: sqlite3.Connection) -> None:
        self.other = other
        self.outcomes: list[Any] = []
        self.threads: list[threading.Thread] = []

    def make(self, *changes: Callable[[], Any]) -> None:
        """Start a thread for each change and wait until all of them wait."""
        for number, deed in enumerate(changes):
            self.outcomes.append(None)
            self.threads.append(threading.Thread(target=self._run, args=(number, deed)))
            self.threads[-1].start()
        end = time.monotonic() + PATIENCE_SECONDS
        while len(queue._pending) < len(changes):
            assert time.monotonic() < end
            time.sleep(0.001)

    def free(self) -> list[Any]:
        """Let all go on, and return what each got: its result, or what was raised."""
        self.other.execute("COMMIT")
        return self.ended()

    def ended(self) -> list[Any]:
        """Return the same when all have ended."""
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
        return self.outcomes

    def _run(self, number: int, deed: Callable[[], Any]) -> None:
        try:
            with database.connection_context():
                self.outcomes[number] = deed()
        except Exception as problem:  # noqa: BLE001  # the test looks at it
            self.outcomes[number] = problem


@pytest.fixture
def crowd(store: config.Settings) -> Iterator[Crowd]:
    """Return a crowd that waits for another program, which holds the write lock."""
    file = database.obj.database
    with closing(
        sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        yield Crowd(other)


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with each commit, by the thread that made it."""
    made: list[int] = []
    commit = type(database.obj).commit

    def counted(engine: Any) -> Any:
        made.append(threading.get_ident())
        return commit(engine)

    monkeypatch.setattr(type(database.obj), "commit", counted)
    return made


def test_what_waits_is_stored_by_one_commit(crowd: Crowd, commits: list[int]) -> None:
    def work(number: int) -> int:
        add()
        return number

    crowd.make(*(partial(run_in_group, partial(work, number)) for number in range(4)))
    assert crowd.free() == [0, 1, 2, 3]
    assert len(commits) == 1
    assert counters.count(counters.BATCHES) == 4


def test_uses_of_codes_are_stored_so(crowd: Crowd, commits: list[int]) -> None:
    crowd.other.execute("COMMIT")
    made = [coupons.add(f"CODE{n}", Terms.of(coupon_type="invoice")) for n in range(3)]
    crowd.other.execute("BEGIN IMMEDIATE")
    commits.clear()
    use = Use(today=date(2026, 1, 1), places=2, client_id=3, invoice_id=5)
    crowd.make(*(partial(redemptions.redeem, coupon, use) for coupon in made))
    outcomes = crowd.free()
    assert [(row.code, new) for row, new in outcomes] == [(each.code, True) for each in made]
    assert len({row.id for row, _ in outcomes}) == len(made) == redemption_log.total()
    assert len(commits) == 1


def test_one_that_fails_fails_alone(crowd: Crowd) -> None:
    def fail() -> None:
        add()
        raise Refusal

    crowd.make(*(partial(run_in_group, work) for work in (add, fail, add, fail)))
    outcomes = crowd.free()
    assert [type(outcome) for outcome in outcomes] == [type(None), Refusal, type(None), Refusal]
    assert counters.count(counters.BATCHES) == 2


def test_the_only_one_that_waits_is_run_once(store: config.Settings) -> None:
    runs = []

    def fail() -> None:
        add()
        runs.append(1)
        raise Refusal

    with pytest.raises(Refusal):
        run_in_group(fail)
    assert runs == [1]
    assert counters.count(counters.BATCHES) == 0
    run_in_group(add)
    assert counters.count(counters.BATCHES) == 1


def test_inside_a_transaction_it_is_a_part_of_it(store: config.Settings) -> None:
    def fail() -> None:
        add()
        raise Refusal

    with change() as transaction:
        run_in_group(add)
        with pytest.raises(Refusal):
            run_in_group(fail)
        assert counters.count(counters.BATCHES) == 1
        transaction.rollback()
    assert counters.count(counters.BATCHES) == 0


def test_all_who_wait_too_long_are_told(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    now, may_pass = [0.0], threading.Event()

    def pause(most: float) -> None:
        may_pass.wait(PATIENCE_SECONDS)
        now[0] += most

    monkeypatch.setattr(clock, "elapsed", lambda: now[0])
    monkeypatch.setattr(clock, "pause", pause)
    crowd.make(*[partial(run_in_group, add)] * 3)
    may_pass.set()
    outcomes = crowd.ended()
    assert [type(outcome) for outcome in outcomes] == [OperationalError] * 3
    assert not queue._pending
    crowd.other.execute("COMMIT")
    run_in_group(add)
    assert counters.count(counters.BATCHES) == 1


def test_what_fails_for_another_thread_is_not_raised_here(store: config.Settings) -> None:
    def fail() -> None:
        raise Refusal

    other = queue._PendingChange(fail)
    queue._pending.append(other)  # that thread has not got the writer lock yet
    run_in_group(add)
    assert (other.tried, other.stored) == (True, False)
    assert counters.count(counters.BATCHES) == 1
