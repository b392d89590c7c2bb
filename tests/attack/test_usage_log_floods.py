"""The usage log grows by few rows a minute, however many strangers call, and still counts them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from app.usage_log import TOO_MANY, UsageLog
from models.access import accesses
from models.access.usage import ApiUsage, Entry
from models.store import clock
from tests import stores
from tests.credentials import CREDENTIALS, PAIR
from tests.waiting import wait_until

NOON = 1_700_000_000
NEVER = 100_000
WRONG_PAIR = "Wrong API ID or API Key"
COUNTED = re.compile(r"calls without a right key: ([0-9]+)")


def rows() -> list[dict[str, Any]]:
    """Return what is in the log, oldest first."""
    return list(ApiUsage.select().order_by(ApiUsage.id).dicts())


def calls_in(row: dict[str, Any]) -> int:
    found = COUNTED.fullmatch(row["message"])
    return int(found[1]) if found else 1


def stranger(number: int, address: str) -> Entry:
    return Entry(clock.now(), "listPromoCodes", WRONG_PAIR, f"made up {number}", False, address)


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Hold the clocks still and return a function that sets them to a second from noon."""

    def turn(second: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: NOON + second)
        monkeypatch.setattr(clock, "elapsed", lambda: float(second))

    turn(0)
    return turn


@pytest.fixture
def log(store: Settings, minute: Callable[[int], None]) -> Iterator[Callable[..., UsageLog]]:
    """Return a maker of logs with settings of their own."""
    made: list[UsageLog] = []

    def make(**settings: int) -> UsageLog:
        usual = {"usage_log_seconds": NEVER, "usage_log_rows": 4000}
        made.append(UsageLog(replace(store, **(usual | settings))))
        return made[-1]

    yield make
    for each in made:
        each.close()


def flood(log: UsageLog, entries: Iterator[Entry]) -> None:
    """Log calls no faster than they are taken."""
    for entry in entries:
        wait_until(lambda: log.waiting < log.rows // 2 + 10)
        log.put(entry)


def test_20000_calls_of_3000_addresses_are_few_rows(log: Callable[..., UsageLog]) -> None:
    made = log()
    flood(made, (stranger(n, f"198.51.{n % 3000 // 250}.{n % 250}") for n in range(20_000)))
    assert rows() == []
    made.close()
    assert made.dropped == 0
    written = rows()
    assert len(written) == 1001
    assert sum(map(calls_in, written)) == 20_000
    assert {row["api_id"] for row in written} == {""}
    (rest,) = (row for row in written if row["address"] == "")
    assert calls_in(rest) > 10_000
    one = next(row for row in written if row["address"] == "198.51.0.7")
    assert (one["call"], one["success"], calls_in(one), one["at"]) == ("", False, 7, NOON)


def test_each_minute_is_written_when_it_is_over(
    log: Callable[..., UsageLog], minute: Callable[[int], None]
) -> None:
    made = log(usage_log_rows=4, usage_log_stranger_rows=2)

    def three_calls(second: int) -> None:
        minute(second)
        for number in range(3):  # half full, so that they are taken
            made.put(stranger(number, "192.0.2.7"))
        wait_until(lambda: not made.waiting)

    three_calls(0)
    three_calls(59)
    assert rows() == []
    three_calls(60)
    wait_until(rows)
    three_calls(61)
    made.close()
    assert [(row["at"], calls_in(row)) for row in rows()] == [(NOON, 9), (NOON + 61, 3)]


def test_ipv6_is_counted_by_network(log: Callable[..., UsageLog]) -> None:
    made = log()
    for number in range(500):
        made.put(stranger(number, f"2001:db8:0:1::{number:x}"))
    made.put(stranger(0, "2001:db8:0:2::1"))
    made.close()
    assert [(row["address"], calls_in(row)) for row in rows()] == [
        ("2001:db8:0:1::/64", 500),
        ("2001:db8:0:2::1", 1),
    ]


def test_guesses_at_a_known_id_stay_in_sight_until_it_is_locked_out(
    log: Callable[..., UsageLog],
) -> None:
    accesses.add("tests", PAIR)
    made = log()
    guess = Entry(clock.now(), "listPromoCodes", WRONG_PAIR, PAIR.api_id, False, "192.0.2.7")
    for _ in range(30):
        made.put(guess)
    for _ in range(1000):
        made.put(guess._replace(message=TOO_MANY))
        made.put(stranger(0, "192.0.2.7"))
    made.close()
    written = rows()
    assert [row["message"] for row in written[:30]] == [WRONG_PAIR] * 30
    assert sorted((row["api_id"], calls_in(row)) for row in written[30:]) == [
        ("", 1000),
        (PAIR.api_id, 1000),
    ]


def test_strangers_do_not_keep_out_the_calls_of_a_partner(
    log: Callable[..., UsageLog], settings: Settings
) -> None:
    made = log(usage_log_rows=100)
    proven = Entry(clock.now(), "listPromoCodes", "", PAIR.api_id, True, "192.0.2.7")
    with stores.written(settings.database_url):
        made.put(stranger(0, "198.51.100.0"))
        made._away = True  # nobody is woken: what waits is bounded all the same
        for number in range(1, 10_000):
            made.put(stranger(number, f"198.51.100.{number % 250}"))
        assert made.waiting == 75
        for _ in range(25):
            made.put(proven)
        assert made.waiting == 100
    assert made.dropped == 10_000 - 75
    made.close()
    assert [row["api_id"] for row in rows()].count(PAIR.api_id) == 25


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"call": "listPromoCodes"},
        {"api_id": "unknown", "api_key": "wrong", "call": "listPromoCodes"},
        {"api_id": "x" * 1000, "api_key": "wrong", "call": "listPromoCodes"},
        CREDENTIALS | {"call": "x" * 1000},
        CREDENTIALS | {"a" + "[x]" * 70: "too deep"},
    ],
)
def test_whatever_a_stranger_sends_is_one_row(
    app: Flask, client: FlaskClient, sent: dict[str, str]
) -> None:
    for _ in range(100):
        client.get("/api.php", query_string=sent)
    client.get("/no/such/path")
    client.put("/api.php")
    app.config["USAGE_LOG"].close()
    (row,) = rows()
    assert (row["message"], row["api_id"]) == ("calls without a right key: 100", "")


def test_a_body_over_the_limit_is_counted(app: Flask, client: FlaskClient) -> None:
    too_large = b"x" * (app.config["SETTINGS"].body_limit_bytes + 1)
    for _ in range(2):
        assert client.post("/api.php", data=too_large).status_code == 413
    app.config["USAGE_LOG"].close()
    assert [calls_in(row) for row in rows()] == [2]
