"""promobridge access: what it prints is what the endpoint then obeys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

import calls
from app import create_app
from app.cli import main
from app.config import Settings, variable
from models.access import accesses

ID, KEY = "1122334455667788990a", "a9b8c7d6e5f4a3b2c1d0"
WRONG_PAIR = ["Wrong API ID or API Key"]
NOT_ENABLED = ["Called method is not allowed for this API ID"]


@pytest.fixture(autouse=True)
def named_store(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the store of the test in the environment, as an operator does."""
    monkeypatch.setenv(variable("database_url"), store.database_url)


@pytest.fixture
def endpoint(store: Settings) -> Iterator[Flask]:
    """Return the application over the store."""
    made = create_app(store)
    yield made
    made.config["USAGE_LOG"].close()


def run(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ["access", *words], input=typed)


def made(*words: str, typed: str | None = None) -> Any:
    """Run a command with --json and return its one value."""
    result = run(*words, "--json", typed=typed)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def ask(endpoint: Flask, pair: dict[str, str], call: str = "getHostBillversion") -> Any:
    query = {"api_id": pair["api_id"], "api_key": pair["api_key"], "call": call}
    answer = endpoint.test_client().get("/api.php", query_string=query).json
    assert answer is not None
    return answer.get("error", answer["success"])


def test_a_new_access_opens_the_endpoint_and_its_key_is_shown_once(endpoint: Flask) -> None:
    pair = made("add", "--name", "shop")
    assert [len(bytes.fromhex(pair[name])) for name in ("api_id", "api_key")] == [10, 10]
    assert {name: pair[name] for name in ("name", "ip", "calls", "enabled", "locked")} == {
        "name": "shop",
        "ip": "all",
        "calls": "all",
        "enabled": True,
        "locked": False,
    }
    assert ask(endpoint, pair) is True
    assert pair["api_key"] not in run("list").stdout + run("list", "--json").stdout


@pytest.mark.parametrize(("key", "typed"), [(KEY, None), ("-", f"{KEY}\n"), ("-", f" {KEY}")])
def test_a_pair_that_exists_is_registered_as_it_is(
    endpoint: Flask, key: str, typed: str | None
) -> None:
    pair = made("add", "--id", ID, "--key", key, typed=typed)
    assert (pair["api_id"], pair["api_key"]) == (ID, KEY)
    assert ask(endpoint, pair) is True
    assert ask(endpoint, pair | {"api_key": KEY[:-1] + "1"}) == WRONG_PAIR


def test_add_without_json_prints_the_pair_for_people() -> None:
    result = run("add", "--name", "shop", "--id", ID, "--key", KEY, "--ip", "192.0.2.1/24")
    assert result.exit_code == 0
    assert dict(line.split(maxsplit=1) for line in result.stdout.splitlines())["api_key"] == KEY
    assert made("list")[0]["ip"] == "192.0.2.0/24"


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("add", "--id", ID), 2, "--id and --key go together"),
        (("add", "--key", KEY), 2, "--id and --key go together"),
        (("add", "--id", "a b c d", "--key", KEY), 1, "The id must be"),
        (("add", "--id", ID, "--key", "abc"), 1, "The key must be"),
        (("add", "--ip", "192.0.2.300"), 1, "The address rule '192.0.2.300' is none of"),
        (("allow", ID), 2, "Name the calls, or give --all"),
        (("allow", ID, "getAPIMethods", "--all"), 2, "Name the calls, or give --all"),
        (("allow", ID, "nothing"), 1, "There is no call nothing; there are "),
        (("deny", ID, "getAPIMethods", "nothing"), 1, "There is no call nothing; there are "),
        (("deny", ID), 2, "Missing argument 'CALL...'"),
        (("deny", ID, "getAPIMethods"), 1, f"There is no access with the id {ID}"),
        (("allow", ID, "--all"), 1, f"There is no access with the id {ID}"),
        (("disable", ID), 1, f"There is no access with the id {ID}"),
        (("enable", ID), 1, f"There is no access with the id {ID}"),
        (("remove", ID), 1, f"There is no access with the id {ID}"),
    ],
)
def test_a_refusal_is_one_sentence_and_changes_nothing(
    words: tuple[str, ...], status: int, sentence: str
) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (status, "")
    assert f"Error: {sentence}" in result.stderr
    assert KEY not in result.stderr
    assert accesses.listed() == []


def test_an_id_is_registered_once() -> None:
    made("add", "--id", ID, "--key", KEY)
    result = run("add", "--id", ID, "--key", "another-key")
    assert result.exit_code == 1
    assert "another-key" not in result.output


def test_calls_are_taken_and_given_back(endpoint: Flask) -> None:
    pair = made("add")
    left = made("deny", pair["api_id"], "addPromoCode", "listPromoCodes")["calls"]
    assert left == sorted(set(calls.registry()) - {"addPromoCode", "listPromoCodes"})
    assert ask(endpoint, pair, "listPromoCodes") == NOT_ENABLED
    assert made("allow", pair["api_id"], "listPromoCodes")["calls"] == sorted(
        [*left, "listPromoCodes"]
    )
    assert ask(endpoint, pair, "listPromoCodes") is True
    assert ask(endpoint, pair, "addPromoCode") == NOT_ENABLED
    assert made("allow", pair["api_id"], "--all")["calls"] == "all"
    assert ask(endpoint, pair, "addPromoCode") != NOT_ENABLED


def test_an_access_with_no_calls_may_use_none(endpoint: Flask) -> None:
    pair = made("add")
    assert made("deny", pair["api_id"], *calls.registry())["calls"] == []
    assert ask(endpoint, pair) == NOT_ENABLED
    assert "none" in run("list").stdout


def test_an_access_is_switched_off_and_on(endpoint: Flask) -> None:
    pair = made("add")
    assert made("disable", pair["api_id"])["enabled"] is False
    assert ask(endpoint, pair) == WRONG_PAIR
    assert run("list").stdout.splitlines()[1].split()[-3] == "no"
    assert made("enable", pair["api_id"])["enabled"] is True
    assert ask(endpoint, pair) is True


def test_an_access_is_removed_unless_it_is_locked(endpoint: Flask) -> None:
    pair, locked = made("add"), made("add", "--locked")
    assert made("remove", pair["api_id"]) == {"api_id": pair["api_id"], "removed": True}
    assert ask(endpoint, pair) == WRONG_PAIR
    refused = run("remove", locked["api_id"])
    assert refused.exit_code == 1
    assert refused.stderr == f"Error: The access {locked['api_id']} is marked undeletable\n"
    assert [access["api_id"] for access in made("list")] == [locked["api_id"]]


@pytest.mark.parametrize(
    "command", [(), *((name,) for name in ("add", "allow", "deny", "disable", "enable", "remove"))]
)
def test_every_help_has_an_example(command: tuple[str, ...]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "promobridge access " in result.stdout.split("Example")[1]
