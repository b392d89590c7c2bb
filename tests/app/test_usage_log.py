"""The API usage log around the endpoint: what is noted, when it is written, what is dropped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from app import config, create_app, metrics
from app.cli import main
from app.config import Settings
from app.usage_log import PRUNE_SECONDS, UsageLog
from models.access import accesses, usage
from models.access.usage import ApiUsage, Entry
from models.store import clock
from tests import stores
from tests.credentials import CREDENTIALS, PAIR
from tests.serving import ROOT, served
from tests.waiting import wait_until

NOON = 1_700_000_000
DAY = 86_400
NEVER = 100_000
WRONG_PAIR = "Wrong API ID or API Key"


def entry(at: int | None = None) -> Entry:
    return Entry(
        clock.now() if at is None else at, "listPromoCodes", "", PAIR.api_id, True, "192.0.2.7"
    )


def rows() -> list[dict[str, Any]]:
    """Return what is in the log, oldest first."""
    return list(ApiUsage.select().order_by(ApiUsage.id).dicts())


@pytest.fixture
def log(store: Settings) -> Iterator[Callable[..., UsageLog]]:
    """Return a maker of logs with settings of their own."""
    made: list[UsageLog] = []

    def make(**settings: int) -> UsageLog:
        usual = {"usage_log_seconds": NEVER, "usage_log_rows": 100}
        made.append(UsageLog(replace(store, **(usual | settings))))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def noted(app: Flask, client: FlaskClient) -> Callable[..., dict[str, Any]]:
    """Return a function that asks and then returns the one row that the log has of it."""

    def noted(**arguments: str) -> dict[str, Any]:
        client.get(f"/api.php?{urlencode(arguments)}", environ_base={"REMOTE_ADDR": "192.0.2.7"})
        app.config["USAGE_LOG"].close()
        (row,) = rows()
        return row

    return noted


class TestNotes:
    def test_a_call_is_noted(self, noted: Callable[..., dict[str, Any]], still_time: int) -> None:
        row = noted(**CREDENTIALS, call="listPromoCodes")
        assert (row["at"], row["call"], row["api_id"]) == (
            still_time,
            "listPromoCodes",
            PAIR.api_id,
        )
        assert (row["success"], row["message"], row["address"]) == (True, "", "192.0.2.7")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({}, "Wrong parameter"),
            ({"call": "listPromoCodes", "page": "x"}, "Wrong parameter: page"),
            ({"call": "getPromoDetailsByCode", "code": "TOP-SECRET"}, "code_not_found"),
            ({"call": "dropTables"}, "Called method is not supported"),
            ({"call": "listPromoCodes", "api_key": "guessed"}, WRONG_PAIR),
        ],
    )
    def test_a_refusal_is_noted_without_any_value(
        self, noted: Callable[..., dict[str, Any]], arguments: dict[str, str], message: str
    ) -> None:
        row = noted(**(CREDENTIALS | arguments))
        assert (row["success"], row["message"]) == (False, message)
        assert row["api_id"] == PAIR.api_id
        known = {"listPromoCodes", "getPromoDetailsByCode", "dropTables"}
        assert row["call"] == (arguments.get("call") if arguments.get("call") in known else "")

    @pytest.mark.parametrize("wrong", ["unknown", PAIR.api_key, "x" * 1_000_000, ""])
    def test_an_id_that_does_not_exist_is_not_noted(
        self, noted: Callable[..., dict[str, Any]], wrong: str
    ) -> None:
        row = noted(api_id=wrong, api_key=PAIR.api_key, call="listPromoCodes")
        assert (row["api_id"], row["call"], row["message"]) == ("", "listPromoCodes", WRONG_PAIR)

    def test_a_fault_of_ours_is_noted(
        self, app: Flask, client: FlaskClient, store: Settings
    ) -> None:
        with stores.session(store.database_url) as other:
            other.execute_sql("ALTER TABLE coupon RENAME TO gone")
        query = urlencode(CREDENTIALS | {"call": "getPromoDetailsByCode", "code": "X"})
        assert client.get(f"/api.php?{query}").status_code == 503
        app.config["USAGE_LOG"].close()
        (row,) = rows()
        assert row["message"] in ("OperationalError", "ProgrammingError")  # as the engine says it

    def test_a_replayed_answer_is_noted_like_the_first(
        self, app: Flask, client: FlaskClient
    ) -> None:
        terms = {"coupon_type": "cart", "type": "percent", "value": "10", "code": "SPRING"}
        for key in ("1", "1", "2", "2"):
            query = CREDENTIALS | terms | {"call": "addPromoCode", "idempotency_key": key}
            client.get(f"/api.php?{urlencode(query)}")
        app.config["USAGE_LOG"].close()
        assert [row["message"] for row in rows()] == ["", "", "code_exists", "code_exists"]

    def test_the_key_is_nowhere_in_the_store(
        self, app: Flask, client: FlaskClient, store: Settings
    ) -> None:
        for arguments in (
            CREDENTIALS | {"call": "listPromoCodes"},
            CREDENTIALS | {"call": PAIR.api_key},
            CREDENTIALS | {"call": "listPromoCodes", "page": PAIR.api_key},
            {"api_id": PAIR.api_key, "api_key": PAIR.api_key, "call": "listPromoCodes"},
            {"api_key": PAIR.api_key, PAIR.api_key: "x"},
        ):
            client.get(f"/api.php?{urlencode(arguments)}")
            client.post("/api.php", data=arguments)
        app.config["USAGE_LOG"].close()
        assert [row["message"] for row in rows()][6:] == ["calls without a right key: 4"]
        written = stores.contents(store.database_url)
        assert PAIR.api_id.encode() in written
        assert PAIR.api_key.encode() not in written


class TestWriting:
    def test_it_is_written_after_some_seconds(self, log: Callable[..., UsageLog]) -> None:
        made = log(usage_log_seconds=1)
        made.put(entry())
        assert rows() == []
        wait_until(lambda: len(rows()) == 1)
        made.put(entry())
        wait_until(lambda: len(rows()) == 2)

    def test_it_is_written_when_it_is_half_full(self, log: Callable[..., UsageLog]) -> None:
        made = log(usage_log_rows=10)
        for _ in range(6):
            made.put(entry())
        wait_until(lambda: len(rows()) == 6)
        assert made.dropped == 0

    def test_it_is_written_at_the_end_and_goes_on_after_it(
        self, log: Callable[..., UsageLog]
    ) -> None:
        made = log()
        made.put(entry())
        made.close()
        assert len(rows()) == 1
        made.put(entry())
        made.close()
        made.close()
        assert len(rows()) == 2

    def test_what_is_over_while_the_store_is_away_is_dropped_and_counted(
        self,
        settings: Settings,
        log: Callable[..., UsageLog],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        made = log(usage_log_rows=10, usage_log_seconds=1)
        with stores.written(settings.database_url):
            for _ in range(30):
                made.put(entry())
            wait_until(lambda: "calls that wait: 10, dropped: 20" in caplog.text)
            wait_until(
                lambda: metrics.REGISTRY.get_sample_value("promobridge_usage_log_waiting") == 10
            )
            made.put(entry())
            assert made.dropped == 21
        # Rows are to be seen an instant before their entries make room for others.
        wait_until(lambda: len(rows()) == 11 and not made.waiting)
        made.put(entry())
        made.close()
        assert [row["message"] for row in rows()] == [""] * 10 + [
            "calls that were not logged: 21",
            "",
        ]
        assert made.dropped == 21

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """Let writers give up soon."""
        return replace(settings, database_timeout_seconds=1)

    def test_what_is_lost_at_the_end_is_said(
        self,
        settings: Settings,
        log: Callable[..., UsageLog],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        made = log()
        with stores.written(settings.database_url):
            for _ in range(3):
                made.put(entry())
            made.close()
        assert made.dropped == 3
        assert "without its last calls: 3" in caplog.text

    def test_what_can_never_be_written_keeps_nothing_out(
        self, log: Callable[..., UsageLog], caplog: pytest.LogCaptureFixture
    ) -> None:
        made = log()
        made.put(entry()._replace(at=2**63))
        made.close()
        assert made.dropped == 1
        assert "could not be written" in caplog.text
        made.put(entry())
        made.close()
        assert [row["message"] for row in rows()] == ["calls that were not logged: 1", ""]

    def test_old_rows_go_once_an_hour(
        self, log: Callable[..., UsageLog], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = log(usage_log_days=2, usage_log_rows=2)
        usage.write([entry(NOON - 2 * DAY - 1)] * (usage.PRUNED + 1) + [entry(NOON - 2 * DAY)])

        def two_calls(now: int, rows_then: int) -> None:
            monkeypatch.setattr(clock, "now", lambda: now)
            monkeypatch.setattr(clock, "elapsed", lambda: float(now))
            for _ in range(2):
                made.put(entry(now))
            wait_until(lambda: len(rows()) == rows_then)
            made.close()  # the thread is done with it, too: full is full, and an hour has begun

        two_calls(NOON, 3)
        two_calls(NOON + PRUNE_SECONDS - 1, 5)
        two_calls(NOON + PRUNE_SECONDS - 1, 7)
        assert rows()[0]["at"] == NOON - 2 * DAY
        two_calls(NOON + PRUNE_SECONDS, 8)
        assert rows()[0]["at"] == NOON

    def test_a_forked_process_writes_its_own_calls_alone(self, store: Settings) -> None:
        script = f"""
import os
from app import db
from app.config import Settings
from app.usage_log import UsageLog
from models.store import clock
from models.access.usage import Entry

settings = Settings(database_url={store.database_url!r}, usage_log_seconds={NEVER})
bound = db.bind(settings)
log = UsageLog(settings)
log.put(Entry(clock.now(), "", "", "parent", True, ""))
bound.close_all()
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
else:
    log.put(Entry(clock.now(), "", "", "child", True, ""))
"""
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60, check=True)
        assert [row["api_id"] for row in rows()] == ["child", "parent"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_writes_all_calls_when_it_is_stopped(
    store: Settings, tmp_path: Path, web_server: str, number: signal.Signals
) -> None:
    accesses.add("tests", PAIR)
    never = {config.variable("usage_log_seconds"): str(NEVER)}
    with served(tmp_path, web_server=web_server, **never) as server:
        for _ in range(20):
            assert server.get(urlencode(CREDENTIALS | {"call": "listPromoCodes"})).status == 200
        assert rows() == []
        server.stop(number)
    assert len(rows()) == usage.total() == 20
    assert {row["address"] for row in rows()} == {"127.0.0.1"}
    assert PAIR.api_key not in server.log()


class TestListing:
    @pytest.fixture(autouse=True)
    def written(self, store: Settings) -> None:
        usage.write(
            [
                entry(NOON),
                entry(NOON + 1)._replace(call="addPromoCode", message="code_exists"),
                entry(NOON + 2)._replace(api_id="other"),
            ]
        )

    def listed(self, client: FlaskClient, **arguments: str) -> dict[str, Any]:
        query = CREDENTIALS | {"call": "listAPIUsage"} | arguments
        return json.loads(client.get(f"/api.php?{urlencode(query)}").data)

    def test_the_call_lists_the_log(self, client: FlaskClient) -> None:
        answer = self.listed(client, perpage="2")
        assert list(answer) == ["success", "usage", "call", "sorter", "server_time"]
        assert answer["sorter"] == {
            "perpage": 2,
            "totalpages": 2,
            "sorterrecords": "3",
            "sorterpage": 1,
        }
        assert [line["api_id"] for line in answer["usage"]] == ["other", PAIR.api_id]
        assert answer["usage"][1] == {
            "id": "2",
            "date": "2023-11-14 22:13:21",
            "call": "addPromoCode",
            "success": "0",
            "message": "code_exists",
            "api_id": PAIR.api_id,
            "address": "192.0.2.7",
            "route": "local",
        }
        (last,) = self.listed(client, perpage="2", page="1")["usage"]
        assert (last["id"], last["success"], last["message"]) == ("1", "1", "")

    def test_the_call_filters(self, client: FlaskClient) -> None:
        for arguments, ids in (
            ({"access": "other"}, ["3"]),
            ({"method": "listPromoCodes"}, ["3", "1"]),
            ({"access": PAIR.api_id, "method": "addPromoCode"}, ["2"]),
            ({"access": "", "method": ""}, ["3", "2", "1"]),
            ({"method": "nothing"}, []),
        ):
            answer = self.listed(client, **arguments)
            assert [line["id"] for line in answer["usage"]] == ids
            assert answer["sorter"]["sorterrecords"] == str(len(ids))

    def test_times_are_those_of_the_installation(self, store: Settings) -> None:
        accesses.add("tests", PAIR)
        app = create_app(replace(store, timezone="Europe/Warsaw"))
        assert self.listed(app.test_client())["usage"][0]["date"] == "2023-11-14 23:13:22"
        app.config["USAGE_LOG"].close()

    def test_the_command_lists_the_log(self, store: Settings) -> None:
        runner = CliRunner(env={config.variable("database_url"): store.database_url})

        def run(*options: str) -> str:
            result = runner.invoke(main, ["usage", "list", *options])
            assert result.exit_code == 0, result.output
            return result.stdout

        lines = run().splitlines()
        assert lines[0].split() == [
            "AT",
            "CALL",
            "SUCCESS",
            "MESSAGE",
            "API",
            "ID",
            "ADDRESS",
            "ROUTE",
        ]
        assert [line.split()[2] for line in lines[1:]] == ["yes", "no", "yes"]
        assert lines[2].split()[3] == "code_exists"
        assert [each["id"] for each in json.loads(run("--json", "--limit", "2"))] == [3, 2]
        (one,) = json.loads(run("--json", "--api-id", PAIR.api_id, "--call", "addPromoCode"))
        assert one == {
            "id": 2,
            "at": "2023-11-14T22:13:21Z",
            "call": "addPromoCode",
            "success": False,
            "message": "code_exists",
            "api_id": PAIR.api_id,
            "address": "192.0.2.7",
            "route": "local",
        }
