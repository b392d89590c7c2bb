"""Nobody learns from the work that a refusal takes whether an id or a secret exists.

What is compared is the work itself, function by function and statement by statement: a clock would
have to be asked thousands of times, and would be wrong on a busy machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from models.access import accesses, secrets
from models.access.accesses import Pair
from models.store import clock
from tests.app.rest.conftest import LIVE
from tests.credentials import PAIR

WRONG_PAIR = b"Wrong API ID or API Key"
NEVER = 100_000
ROOT = Path(__file__).parents[2]
FOLLOWED = (
    *(f"{ROOT}/{package}/" for package in ("app", "calls", "models")),
    *("/peewee.py", "/flask/", "/werkzeug/", "/limits/"),
)
ROUNDS = 40
Request = Callable[[], bytes]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Lock out after one more than the rounds that warm up."""
    return replace(settings, wrong_credentials_per_minute=ROUNDS, usage_log_seconds=NEVER)


@pytest.fixture(autouse=True)
def _quiet(still_time: int) -> None:
    """Hold the clock still: what is done once a second or a minute is done for nobody here."""


def steps(request: Request) -> list[str]:
    """Return the functions entered and the statements run for a request, in order.

    Not those inside of a driver: how often it reads from its server is chance.
    """
    entered: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if not any(part in code.co_filename for part in FOLLOWED):
            return
        if event == "call":
            entered.append(f"{code.co_filename}:{code.co_qualname}")
            if code.co_name == "execute_sql":
                entered.append(str(frame.f_locals["sql"]))
        elif event == "c_call":
            name = getattr(argument, "__qualname__", "")
            entered.append(f"{code.co_qualname} -> {name}")

    sys.setprofile(note)
    try:
        request()
    finally:
        sys.setprofile(None)
    return entered


def asked(client: FlaskClient, pair: Pair, address: str) -> Request:
    sent = {"api_id": pair.api_id, "api_key": pair.api_key, "call": "listPromoCodes"}

    def request() -> bytes:
        overrides = {"REMOTE_ADDR": address}
        return client.get("/api.php", query_string=sent, environ_overrides=overrides).data

    return request


def test_unknown_ids_wrong_keys_and_disabled_accesses_take_the_same_work(app: Flask) -> None:
    client = app.test_client()
    limited = Pair("limited0limited0limi", "0123456789abcdef0123")
    disabled = Pair("disabled0disabled0di", "0123456789abcdef0123")
    for pair in (limited, disabled):
        accesses.add("of the test", pair, ip_rule="198.51.100.0/24")
        accesses.deny(pair.api_id, ["addPromoCode"], ["addPromoCode", "listPromoCodes"])
    accesses.enable(disabled.api_id, False)
    wrong = "f" * len(PAIR.api_key)
    requests = {
        "unknown": asked(client, Pair("unknown0unknown0unkn", wrong), "203.0.113.1"),
        "known": asked(client, Pair(PAIR.api_id, wrong), "203.0.113.2"),
        "limited": asked(client, Pair(limited.api_id, wrong), "203.0.113.3"),
        "disabled": asked(client, Pair(disabled.api_id, wrong), "203.0.113.4"),
        "right key": asked(client, disabled, "203.0.113.5"),
    }
    for request in requests.values():
        assert WRONG_PAIR in request()
    first, *others = (steps(request) for request in requests.values())
    assert len(first) > 100
    assert [other == first for other in others] == [True] * len(others)
    for request in requests.values():
        for _ in range(ROUNDS):
            answer = request()
        assert b"Too many requests" in answer
    first, *others = (steps(request) for request in requests.values())
    assert [other == first for other in others] == [True] * len(others)


def test_the_usage_log_is_told_the_same_of_all(app: Flask) -> None:
    client, log = app.test_client(), app.config["USAGE_LOG"]
    for api_id in ("unknown0unknown0unkn", PAIR.api_id):
        asked(client, Pair(api_id, "wrong"), "203.0.113.1")()
    unknown, known = log._entries
    assert unknown._replace(api_id="") == known._replace(api_id="")


def test_unknown_secrets_take_the_same_work(app: Flask) -> None:
    _, live = secrets.add(LIVE)
    client = app.test_client()

    def asked(secret: str) -> Request:
        headers = {"X-API-Secret": secret}
        return lambda: client.get("/v1/campaigns/codes/stats?slug=x", headers=headers).data

    other_environment = live.replace("sk_live_", "sk_test_")
    near = live[:-1] + ("0" if live[-1] != "0" else "1")
    requests = [asked(secret) for secret in ("sk_live_" + "7" * 32, other_environment, near)]
    for request in requests:
        assert b"Invalid API key" in request()
    first, *others = (steps(request) for request in requests)
    assert len(first) > 100
    assert [other == first for other in others] == [True, True]


def test_only_the_digest_of_a_known_id_is_read_before_the_key_is_proven(
    store: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    accesses.add("tests", PAIR)
    made = []
    of_row = accesses.Access.of_row
    monkeypatch.setattr(
        accesses.Access, "of_row", classmethod(lambda cls, row: made.append(row) or of_row(row))
    )
    assert clock.now()
    assert accesses.authenticated(PAIR.api_id, "wrong") is None
    assert accesses.authenticated("unknown", "wrong") is None
    assert made == []
    assert accesses.authenticated(PAIR.api_id, PAIR.api_key) is not None
    assert len(made) == 1
