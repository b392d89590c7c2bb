"""Counts expire by themselves, stay within their room, and outlive the loss of Redis."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import redis_counter
from app.config import BadSetting
from app.limits import MemoryCounter
from app.redis_counter import RedisCounter, counter
from tests.redis_server import RedisServer, running
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def counts(request: pytest.FixtureRequest) -> MemoryCounter:
    if request.param == "memory":
        return MemoryCounter()
    server: RedisServer = request.getfixturevalue("redis")
    with server.client() as client:
        client.flushall()
    return RedisCounter(server.url)


def test_a_count_ends_by_itself(counts: MemoryCounter) -> None:
    assert counts.left("a") == 0
    assert [counts.add("a", 1), counts.add("a", 1), counts.add("b", 60)] == [1, 2, 1]
    assert 0 < counts.left("a") <= 1
    assert 58 < counts.left("b") <= 60
    wait_until(lambda: counts.add("a", 1) == 1)
    assert counts.left("b") > 0


def test_more_counts_do_not_make_one_last_longer(counts: MemoryCounter) -> None:
    for _ in range(3):
        counts.add("a", 60)
    assert counts.add("a", 6000) == 4
    assert counts.left("a") <= 60


def test_a_lock_ends_by_itself_and_is_no_count(counts: MemoryCounter) -> None:
    assert counts.locked("b") == 0
    assert [counts.lock("a", "wider", 1), counts.lock("a", "wider", 1)] == [True, False]
    assert counts.lock("b", "wider", 60)
    assert 58 < counts.locked("b") <= 60
    assert (counts.locked("wider"), counts.left("b"), counts.add("b", 60)) == (0, 0, 1)
    wait_until(lambda: counts.lock("a", "wider", 1))


def test_no_count_is_lost_among_threads(counts: MemoryCounter) -> None:
    def count() -> None:
        for _ in range(200):
            counts.add("a", 600)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.add("a", 600) == 8 * 200 + 1


def test_memory_forgets_what_has_ended_and_then_what_is_oldest() -> None:
    memory = MemoryCounter(most=10)
    memory.add("lasting", 600)
    for number in range(9):
        memory.add(f"ended {number}", -1)
    memory.add("new", 600)
    assert memory.left("lasting") > 0
    assert len(memory._counts) == 2
    for number in range(1000):
        memory.add(f"flood {number}", 600)
        assert len(memory._counts) <= 10
    assert memory.left("lasting") == 0
    assert memory.left("flood 999") > 0


def test_processes_share_a_store_and_hear_of_each_other(redis: RedisServer) -> None:
    one, other = RedisCounter(redis.url), RedisCounter(redis.url)
    assert other.left("shared") == 0
    assert [one.add("shared", 60), other.add("shared", 60)] == [1, 2]
    assert one.left("shared") > 0
    assert other.left("shared") > 0
    third = RedisCounter(redis.url)
    assert third.locked("late") == 0
    assert one.lock("late", "wide", 60)
    wait_until(lambda: third.locked("late"))  # a process asks once a second at most
    assert not other.lock("late", "wide", 60)
    other.clear()
    assert one.add("shared", 60) == 1


def test_a_store_that_is_gone_costs_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_counter, "AWAY_SECONDS", 0.2)
    caplog.set_level(logging.WARNING)
    with running(tmp_path) as server:
        counts = RedisCounter(server.url)
        assert [counts.add("a", 600) for _ in range(3)] == [1, 2, 3]
        server.kill()
        began = time.monotonic()
        assert [counts.add("a", 600) for _ in range(1000)] == list(range(1, 1001))
        assert counts.left("a") > 0
        assert time.monotonic() - began < 5
        server.start()
        wait_until(lambda: counts.add("b", 600) and keys(server))
        assert keys(server) == ["promobridge:b"]
    (record,) = caplog.records
    assert record.getMessage().startswith("Limits are counted by each process: their store fails")
    assert "of-the-tests" not in caplog.text


def test_a_store_that_is_gone_is_logged_once_a_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_counter, "AWAY_SECONDS", 0)
    with running(tmp_path) as server:
        counts = RedisCounter(server.url)
        server.kill()
        assert [counts.add("a", 600) for _ in range(20)] == list(range(1, 21))
    assert len(caplog.records) == 1
    monkeypatch.setattr(counts, "_warn_at", 0.0)
    counts.add("a", 600)
    assert len(caplog.records) == 2


def test_a_store_that_does_not_answer_holds_one_request_for_a_moment(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        counts = RedisCounter(server.url)
        assert counts.add("a", 600) == 1
        with server.client() as client:
            client.client_pause(5000)
            began = time.monotonic()
            assert [counts.add("a", 600) for _ in range(100)] == list(range(1, 101))
            assert time.monotonic() - began < 3


def test_a_wrong_password_is_a_store_that_is_away(redis: RedisServer) -> None:
    counts = RedisCounter(redis.url.replace("of-the-tests", "wrong"))
    assert [counts.add("a", 600), counts.add("a", 600)] == [1, 2]
    with pytest.raises(BadSetting, match="PROMOBRIDGE_LIMITS_URL cannot be reached"):
        counts.clear()


@pytest.mark.parametrize(
    "url",
    ["", "memory", "memory:///", "oracle://x", "valkey://h", "redis://h:port", "async+redis://h"],
)
def test_a_url_of_no_use_is_one_sentence(url: str) -> None:
    with pytest.raises(BadSetting, match="PROMOBRIDGE_LIMITS_URL must"):
        counter(url)


def keys(server: RedisServer) -> list[str]:
    with server.client() as client:
        return client.keys()
