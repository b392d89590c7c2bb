"""Calls of each day: they are what the log says, whoever writes and deletes at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from models.access import daily_calls, usage
from models.access.daily_calls import DailyCalls
from models.access.usage import Entry
from models.checks import recount
from models.store.base import database
from tests.credentials import PAIR

NOON = 1_700_000_000
DAY = 86_400

pytestmark = pytest.mark.usefixtures("store")


def entry(at: int = NOON, **fields: Any) -> Entry:
    """Return the entry of a call that went well."""
    usual = Entry(at, "listPromoCodes", "", PAIR.api_id, True, "192.0.2.7")
    return usual._replace(**fields)


def test_calls_are_counted_by_caller_call_and_route() -> None:
    usage.write(
        [entry(NOON + n, route="forward", call="getClients") for n in range(3)]
        + [entry(NOON + 5, message="code_expired"), entry(NOON + 4)]
        + [entry(NOON + 6, api_id="secret 3", call="POST /campaigns")]
        + [entry(NOON - DAY)] * 9
    )
    assert [tuple(each) for each in daily_calls.summary(NOON, 10)] == [
        (PAIR.api_id, "getClients", "forward", 3, 0, NOON + 2),
        (PAIR.api_id, "listPromoCodes", "local", 2, 1, NOON + 5),
        ("secret 3", "POST /campaigns", "local", 1, 0, NOON + 6),
    ]
    assert daily_calls.summary(NOON - DAY, 1)[0].calls == 11
    assert daily_calls.summary(NOON + DAY, 10) == []


def test_a_count_without_calls_goes() -> None:
    usage.write([entry(NOON - DAY), entry(NOON)])
    assert usage.prune(NOON) == 1
    assert [row.day for row in DailyCalls.select()] == [daily_calls.day_of(NOON)]


def test_a_check_finds_a_wrong_count() -> None:
    usage.write([entry()])
    assert not list(recount.differences())
    DailyCalls.update(calls=3).execute()
    (wrong,) = recount.differences()
    assert (wrong.kept, wrong.counted) == ((3, 0), (1, 0))


def test_writers_at_once_lose_no_count() -> None:
    at_once = threading.Barrier(4)

    def write(number: int) -> None:
        at_once.wait()
        with database.connection_context():
            for turn in range(5):
                calls = [entry(NOON + turn, call=f"get{n}") for n in range(4)]
                usage.write(calls if number % 2 else calls[::-1])
                usage.prune(NOON + turn - 2)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert not list(recount.differences())
    assert usage.total() >= 48
