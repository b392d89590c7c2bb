"""Who still calls what: names of calls that do not exist here, and how often each was made."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from app import config, metrics
from app.cli import main
from app.config import Settings
from models.access import accesses, call_names, usage
from models.access.accesses import Pair
from models.access.usage import ApiUsage, Entry
from models.store import clock
from tests import stores
from tests.credentials import CREDENTIALS, PAIR

OTHER_PAIR = Pair("another", "Another0Key")
NOON = 1_700_000_000
DAY = 86_400


@pytest.fixture(autouse=True)
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without the labels of earlier tests."""
    monkeypatch.setattr(metrics, "NAMES", set())


@pytest.fixture
def ask(app: Flask, client: FlaskClient) -> Callable[..., list[str]]:
    """Return a function that makes calls of these names and returns those of the log."""

    def ask(*names: str, **credentials: str) -> list[str]:
        for name in names:
            query = (credentials or CREDENTIALS) | {"call": name}
            answer = json.loads(client.get(f"/api.php?{urlencode(query)}").data)
            assert not answer["success"]
        app.config["USAGE_LOG"].close()
        return [call for (call,) in ApiUsage.select(ApiUsage.call).order_by(ApiUsage.id).tuples()]

    return ask


def labels() -> set[str]:
    """Return the names of calls that the metrics have."""
    return {
        sample.labels["call"]
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if sample.name == "promobridge_call_seconds_count"
    }


class TestNames:
    def test_a_call_that_is_not_supported_is_named(self, ask: Callable[..., list[str]]) -> None:
        assert ask("getClients", "addInvoice", "getClients") == [
            "getClients",
            "addInvoice",
            "getClients",
        ]

    @pytest.mark.parametrize("wrong", [{"api_key": "wrong"}, {"api_id": "nobody"}, {"api_id": ""}])
    def test_callers_without_a_right_key_name_nothing(
        self, ask: Callable[..., list[str]], wrong: dict[str, str]
    ) -> None:
        assert ask("getUnprovenThings", **(CREDENTIALS | wrong)) == [""]
        ask("getUnprovenThings", **(CREDENTIALS | wrong))
        assert "getUnprovenThings" not in labels()
        assert call_names.CallName.select().count() == 0

    @pytest.mark.parametrize("odd", ["get-clients", "get clients", "géClients", "a\n", "../x", "é"])
    def test_what_is_no_name_is_other(self, ask: Callable[..., list[str]], odd: str) -> None:
        assert ask(odd) == ["other"]
        assert odd not in labels()

    @pytest.mark.parametrize("length", [64, 65])
    def test_the_longest_name(self, ask: Callable[..., list[str]], length: int) -> None:
        assert ask("g" * length) == ["g" * length if length == 64 else ""]

    def test_so_many_different_ones_have_a_row_name_and_a_label(
        self, ask: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(call_names, "MOST", 3)
        names = [f"getThing{number}" for number in range(5)]
        assert set(ask(*names)) == {*names[:3], "other"}
        ask(*names)
        assert labels() & set(names) == set(names[:3])
        assert set(names[:3]) == metrics.NAMES
        # The labels of a process are as few, whatever left its place in the log.
        ApiUsage.delete().execute()
        assert call_names.forget_unused() == 3
        ask(*names[3:])
        ask(*names[3:])
        assert labels() & set(names) == set(names[:3])

    @pytest.mark.parametrize(
        "shape", [PAIR.api_key, PAIR.api_key.upper(), f"get{PAIR.api_key}", "0123456789abcdefABCD"]
    )
    def test_a_key_in_the_place_of_the_call_is_no_name(
        self, ask: Callable[..., list[str]], store: Settings, shape: str
    ) -> None:
        assert ask(shape) == ["other"]
        assert PAIR.api_key.encode() not in stores.contents(store.database_url)

    def test_a_key_of_letters_is_no_name_either(self, ask: Callable[..., list[str]]) -> None:
        accesses.add("words", OTHER_PAIR)
        credentials = {"api_id": OTHER_PAIR.api_id, "api_key": OTHER_PAIR.api_key}
        assert ask(OTHER_PAIR.api_key, **credentials) == ["other"]


class TestCommand:
    @pytest.fixture
    def run(self, store: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
        """Write some calls, and return a function that runs the command a day after them."""
        accesses.add("=shop", PAIR)
        usual = Entry(NOON, "getClients", "", PAIR.api_id, True, "192.0.2.7", "forward")
        usage.write(
            [
                *[usual] * 3,
                usual._replace(call="listPromoCodes", route="local", message="code_expired"),
                usual._replace(call="POST /campaigns", api_id="secret 3", route="local"),
                usual._replace(at=NOON - 6 * DAY, call="getOld"),
            ]
        )
        monkeypatch.setattr(clock, "now", lambda: NOON + DAY)
        runner = CliRunner(env={config.variable("database_url"): store.database_url})

        def run(*options: str) -> str:
            result = runner.invoke(main, ["usage", "summary", *options])
            assert result.exit_code == 0, result.output
            return result.stdout

        return run

    def test_it_counts_by_caller_and_call(self, run: Callable[..., str]) -> None:
        lines = run("--days", "2").splitlines()
        assert lines[0].split() == "API ID NAME CALL ROUTE CALLS FAILED LAST AT".split()  # noqa: SIM905  # as printed
        assert lines[1].split()[1:] == [
            "=shop",
            "getClients",
            "forward",
            "3",
            "0",
            "2023-11-14T22:13:20Z",
        ]
        assert len(lines) == 4

    def test_it_counts_the_days_that_are_asked_for(self, run: Callable[..., str]) -> None:
        for days, count in (("1", 3), ("6", 3), ("7", 4)):
            assert len(json.loads(run("--days", days, "--json"))) == count
        assert json.loads(run("--limit", "1", "--json")) == [
            {
                "api_id": PAIR.api_id,
                "name": "=shop",
                "call": "getClients",
                "route": "forward",
                "calls": 3,
                "failed": 0,
                "last_at": "2023-11-14T22:13:20Z",
            }
        ]

    def test_it_writes_csv_that_no_sheet_runs(self, run: Callable[..., str]) -> None:
        rows = [*csv.DictReader(io.StringIO(run("--csv")))]
        assert [row["calls"] for row in rows] == ["3", "1", "1", "1"]
        assert rows[0]["name"] == "'=shop"

    def test_csv_and_json_are_not_one(self, store: Settings) -> None:
        assert CliRunner().invoke(main, ["usage", "summary", "--csv", "--json"]).exit_code == 2
