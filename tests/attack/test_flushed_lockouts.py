"""A lockout lasts as long as it should, however many names are made up to push it out."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from flask import Flask

from app import create_app
from app.config import Settings
from app.limits import Limits, MemoryCounter, TooMany
from models.store.base import database
from tests.credentials import PAIR

HERE, THERE = "203.0.113.7", "203.0.113.8"
ROOM = 20


def is_locked_out(limits: Limits, api_id: str, address: str = HERE) -> bool:
    """Tell whether the right pair of an id is refused at an address."""
    try:
        limits.right_credentials(address, api_id, "access:1")
    except TooMany:
        return True
    return False


def guess(limits: Limits, api_id: str, times: int = 1, address: str = HERE) -> None:
    for _ in range(times):
        try:
            limits.wrong_credentials(address, api_id)
        except TooMany:
            continue


@pytest.fixture
def limits(settings: Settings) -> Limits:
    """Return limits of three wrong keys, with room for few counts and locks."""
    three = replace(settings, wrong_credentials_per_minute=3)
    return Limits(three, MemoryCounter(ROOM, ROOM))


def test_made_up_ids_do_not_flush_a_lockout(limits: Limits) -> None:
    guess(limits, "shop", 3)
    for number in range(50 * ROOM):
        guess(limits, f"made up {number}")
    assert is_locked_out(limits, "shop")
    assert not is_locked_out(limits, "other")
    assert len(limits._counter._counts) <= ROOM


def test_lockouts_of_made_up_ids_do_not_flush_a_lockout(limits: Limits) -> None:
    guess(limits, "shop", 3)
    for number in range(3 * ROOM):
        guess(limits, f"made up {number}", 3)
    assert is_locked_out(limits, "shop")


def test_where_there_is_no_room_the_address_is_locked_out(limits: Limits) -> None:
    for number in range(ROOM):
        guess(limits, f"made up {number}", 3, THERE)
    assert not is_locked_out(limits, "shop")
    guess(limits, "shop", 3)
    assert is_locked_out(limits, "shop")
    assert is_locked_out(limits, "other")  # as it could not be told apart any more
    assert not is_locked_out(limits, "shop", "203.0.113.9")


def test_locks_of_a_flood_of_addresses_are_bounded(limits: Limits) -> None:
    for number in range(5 * ROOM):
        guess(limits, "shop", 3, f"198.51.100.{number}")
    counter = limits._counter
    assert len(counter._locks) == ROOM
    assert len(counter._wide_locks) == ROOM
    assert is_locked_out(limits, "shop", "198.51.100.0")
    assert is_locked_out(limits, "shop", f"198.51.100.{5 * ROOM - 1}")


def test_what_has_ended_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    counter, now = MemoryCounter(ROOM, ROOM), 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert all(counter.lock(f"lock {number}", "wide", 300) for number in range(ROOM))
    assert counter.lock("one more", "wide", 300)
    assert (counter.locked("one more"), counter.locked("wide")) == (0, 300)
    assert not counter.lock("yet one more", "wide", 300)
    assert counter.is_crowded()
    now += 299
    assert (counter.locked("lock 0"), counter.locked("wide")) == (1, 1)
    now += 1
    assert (counter.locked("lock 0"), counter.locked("wide")) == (0, 0)
    assert not counter.is_crowded()
    assert counter.lock("one more", "wide", 300)
    assert counter.locked("one more") == 300
    assert len(counter._locks) == 1


def test_a_guesser_who_makes_up_ids_over_http_stays_locked_out(app: Flask, store: Settings) -> None:
    made = create_app(replace(store, wrong_credentials_per_minute=3))
    made.config["LIMITS"]._counter._most = ROOM
    client = made.test_client()

    def status(api_id: str, api_key: str) -> int:
        sent = {"api_id": api_id, "api_key": api_key, "call": "getHostBillversion"}
        return client.get("/api.php", query_string=sent).status_code

    assert [status(PAIR.api_id, "wrong") for _ in range(3)] == [200] * 3
    for number in range(20 * ROOM):
        status(f"made up {number}", "wrong")
    assert status(PAIR.api_id, PAIR.api_key) == 429
    made.config["USAGE_LOG"].close()
    database.close_all()
