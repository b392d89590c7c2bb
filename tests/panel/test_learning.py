"""Pairs that the panel knows are learned: for some hours, from some networks, until confirmed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from app.cli import main
from app.config import Settings, variable
from models.access import accesses
from models.access.accesses import Access, Pair
from models.panel import learning
from models.store import clock
from models.store.base import database
from tests.credentials import PAIR
from tests.panel.fronts import in_front
from tests.panel.php_panel import PhpPanel

URL = "/admin/api.php"
INSIDE, ALSO_INSIDE, OUTSIDE = "192.0.2.7", "192.0.2.8", "198.51.100.7"
WRONG_PAIR = ["Wrong API ID or API Key"]
WRONG_ADDRESS = ["This IP address is not allowed to use this API ID"]


@pytest.fixture
def front(store: Settings, panel: PhpPanel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Return the application in front of a panel, none of whose pairs it knows."""
    monkeypatch.setenv(variable("database_url"), store.database_url)
    with in_front(store, panel_url=panel.url, panel_ca=str(panel.ca)) as made:
        yield made


def run(*words: str) -> Result:
    """Run a command of `promobridge panel`, and leave the store bound as it was."""
    bound = database.obj
    try:
        return CliRunner().invoke(main, ["panel", *words])
    finally:
        if database.obj is not bound:
            database.close_all()
            database.initialize(bound)


def ask(front: Flask, pair: dict[str, str], address: str = INSIDE, call: str = "getClients") -> Any:
    """Return whether a call succeeds, else its errors or its status."""
    answer = front.test_client().post(
        URL, data=pair | {"call": call}, environ_overrides={"REMOTE_ADDR": address}
    )
    value = answer.get_json()
    if answer.status_code != 200:
        return answer.status_code
    return value.get("error", value["success"])


def learn(hours: int = 1) -> None:
    assert run("learn", "--from", "192.0.2.0/24", "--hours", str(hours)).exit_code == 0


def test_without_learning_no_pair_is_asked_about(front: Flask, panel: PhpPanel) -> None:
    assert ask(front, panel.credentials) == WRONG_PAIR
    assert panel.journal() == []


def test_a_pair_that_the_panel_knows_is_registered(front: Flask, panel: PhpPanel) -> None:
    learn()
    assert ask(front, panel.credentials) is True
    assert [each.call for each in panel.journal()] == ["getAPIMethods", "getClients"]
    (access,) = accesses.listed()
    assert access.api_id == panel.api_id
    assert access.ip_rule == INSIDE
    assert panel.api_key not in (access.key_digest, access.key_salt)
    assert ask(front, panel.credentials) is True
    assert ask(front, panel.credentials | {"api_key": "x" * 20}) == WRONG_PAIR
    assert [each.call for each in panel.journal()].count("getAPIMethods") == 2


def test_only_those_networks_are_learned_from(front: Flask, panel: PhpPanel) -> None:
    learn()
    assert ask(front, panel.credentials, OUTSIDE) == WRONG_PAIR
    assert panel.journal() == []
    assert ask(front, panel.credentials) is True
    assert ask(front, panel.credentials, OUTSIDE) == WRONG_ADDRESS


def test_a_pair_is_pinned_to_all_addresses_that_it_comes_from(
    front: Flask, panel: PhpPanel
) -> None:
    learn()
    assert ask(front, panel.credentials) is True
    assert ask(front, panel.credentials, ALSO_INSIDE) is True
    (access,) = accesses.listed()
    assert access.ip_rule == f"{INSIDE} {ALSO_INSIDE}"
    assert run("learned", "--confirm").exit_code == 0
    assert ask(front, panel.credentials, ALSO_INSIDE) is True
    assert ask(front, panel.credentials, "192.0.2.9") == WRONG_ADDRESS


def test_what_is_not_confirmed_ends_with_the_learning(
    front: Flask, panel: PhpPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn()
    assert ask(front, panel.credentials) is True
    other = dict(zip(("api_id", "api_key"), panel.access(), strict=True))
    assert ask(front, other) is True
    assert run("learned", "--confirm", other["api_id"]).exit_code == 0
    shown = run("learned").stdout
    assert panel.api_id in shown
    assert other["api_id"] not in shown
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + 3600)
    assert ask(front, panel.credentials) == WRONG_PAIR
    assert ask(front, other) is True
    assert "ended" in run("learned").stdout
    assert run("learned", "--confirm").exit_code == 0
    assert ask(front, panel.credentials) is True


def test_learning_is_ended_at_once(front: Flask, panel: PhpPanel) -> None:
    learn()
    assert ask(front, panel.credentials) is True
    assert run("learn", "--stop").exit_code == 0
    assert ask(front, panel.credentials) == WRONG_PAIR
    learn()  # and what was learned goes on with it
    assert ask(front, panel.credentials) is True
    assert [each.call for each in panel.journal()].count("getAPIMethods") == 1


def test_two_refused_pairs_are_tried_in_a_minute(
    front: Flask, panel: PhpPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn()
    wrong = [{"api_id": f"wrong-{number}", "api_key": "x" * 20} for number in range(4)]
    assert [ask(front, pair) for pair in wrong] == [WRONG_PAIR, WRONG_PAIR, 429, 429]
    assert len(panel.journal()) == 2
    assert ask(front, panel.credentials) == 429
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + 60)
    assert ask(front, panel.credentials) is True


def test_pairs_that_come_together_are_all_learned(front: Flask, panel: PhpPanel) -> None:
    learn()
    pairs = [dict(zip(("api_id", "api_key"), panel.access(), strict=True)) for _ in range(4)]
    begin = threading.Barrier(len(pairs))

    def one(pair: dict[str, str]) -> Any:
        begin.wait()
        try:
            return ask(front, pair)
        finally:
            database.close()

    with ThreadPoolExecutor(len(pairs)) as threads:
        results = [*threads.map(one, pairs)]
    # One of them may have waited for its turn too long and is told to come again.
    assert set(results) <= {True, 429, 503}
    assert all(ask(front, pair) is True for pair in pairs)


def test_wrong_pairs_count_towards_the_lockout(
    store: Settings, panel: PhpPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("database_url"), store.database_url)
    learn()
    with in_front(
        store, panel_url=panel.url, panel_ca=str(panel.ca), wrong_credentials_per_minute=1
    ) as front:
        wrong = {"api_id": "wrong", "api_key": "x" * 20}
        assert ask(front, wrong) == WRONG_PAIR
        assert len(panel.journal()) == 1
        assert ask(front, wrong | {"api_id": "wronger"}) == 429
        assert len(panel.journal()) == 1  # who is locked out has nothing tried


def test_an_access_of_the_operator_is_not_touched(front: Flask, panel: PhpPanel) -> None:
    accesses.add("ours", Pair(panel.api_id, PAIR.api_key))
    learn()
    assert ask(front, panel.credentials) == WRONG_PAIR
    accesses.enable(panel.api_id, False)
    assert ask(front, {"api_id": panel.api_id, "api_key": PAIR.api_key}) == WRONG_PAIR
    assert panel.journal() == []


def test_a_key_that_was_changed_at_the_panel_is_learned_anew(front: Flask, panel: PhpPanel) -> None:
    learn()
    assert ask(front, panel.credentials) is True
    panel.execute("UPDATE access SET api_key = ? WHERE api_id = ?", "n" * 20, panel.api_id)
    assert ask(front, panel.credentials | {"api_key": "n" * 20}) is True
    assert ask(front, panel.credentials) == WRONG_PAIR
    assert Access.select().count() == 1


def test_a_panel_that_is_away_teaches_nothing(front: Flask, panel: PhpPanel) -> None:
    learn()
    panel.stop()
    for _ in range(3):
        assert ask(front, panel.credentials) == 503
    panel.start()
    assert ask(front, panel.credentials) is True


def test_a_learned_pair_is_for_our_calls_too(front: Flask, panel: PhpPanel) -> None:
    learn()
    assert ask(front, panel.credentials, call="listPromoUsage") is True


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("learn",), 2, "Name networks with --from, or give --stop"),
        (("learn", "--from", "192.0.2.1", "--stop"), 2, "Name networks with --from, or give"),
        (("learn", "--from", "all"), 1, "Name the networks to learn from"),
        (("learn", "--from", " "), 1, "Name the networks to learn from"),
        (("learn", "--from", "192.0.2.300"), 1, "The address rule '192.0.2.300' is none of"),
        (("learn", "--from", "192.0.2.1", "--hours", "0"), 2, "Invalid value for '--hours'"),
        (("learn", "--stop"), 1, "Nothing has been learned yet"),
        (("learned", "abcd"), 2, "IDs go with --confirm"),
        (("learned", "--confirm", "abcd"), 1, "No pair with the id abcd waits"),
    ],
)
def test_a_refusal_is_one_sentence_and_stores_nothing(
    store: Settings,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    monkeypatch.setenv(variable("database_url"), store.database_url)
    result = run(*words)
    assert result.exit_code == status
    assert f"Error: {said}" in result.stderr
    with database.connection_context():
        assert learning.state() is None


def test_a_try_is_taken_by_one_of_many(store: Settings) -> None:
    learning.begin("192.0.2.0/24", 1)
    begin = threading.Barrier(6)

    def one(_: int) -> int:
        with database.connection_context():
            begin.wait()
            return learning.take_try()

    with ThreadPoolExecutor(6) as threads:
        results = [*threads.map(one, range(6))]
    assert results.count(0) == 2
    assert all(1 <= seconds <= 60 for seconds in results if seconds)
