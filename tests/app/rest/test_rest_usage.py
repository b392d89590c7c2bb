"""Requests of the REST API in the usage log: who, what and how it went, never the secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from app.rest.blueprint import path_template
from models.access import secrets, usage
from models.access.accesses import PAIR_PATTERN
from models.access.secrets import Secret
from models.access.usage import ApiUsage
from models.campaigns import campaigns
from models.promotions.campaign_counts import Owner
from tests import stores
from tests.app.conftest import Run
from tests.credentials import CREDENTIALS

Ask = Callable[..., Any]
GENERATE = "POST /campaigns/codes/generate"
ORDER = {"slug": "summer-promo", "pointsValue": 500, "batchSize": 2}


@pytest.fixture
def secret(store: Settings) -> str:
    """Make a campaign and a secret."""
    campaigns.add(Owner(), "summer-promo", "Summer")
    return secrets.add(Owner(), "shop")[1]


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    """Return a function that sends one request."""

    def ask(secret: str, method: str, path: str, **options: Any) -> Any:
        headers = {"X-API-Secret": secret} | options.pop("headers", {})
        return client.open(
            f"/v1{path}",
            method=method,
            headers=headers,
            environ_base={"REMOTE_ADDR": "192.0.2.7"},
            **options,
        )

    return ask


@pytest.fixture
def rows(app: Flask) -> Callable[[], list[tuple[Any, ...]]]:
    """Return a function that returns call, success, message, api_id and address, oldest first."""

    def rows() -> list[tuple[Any, ...]]:
        app.config["USAGE_LOG"].close()
        columns = ("call", "success", "message", "api_id", "address")
        query: Any = ApiUsage.select(*(getattr(ApiUsage, name) for name in columns))
        return list(query.order_by(ApiUsage.id).tuples())

    return rows


def test_a_request_is_a_row_with_the_id_of_its_secret(
    ask: Ask, secret: str, rows: Callable[[], Any]
) -> None:
    code = ask(secret, "POST", "/campaigns/codes/generate", json=ORDER).json["data"]["codes"][0]
    use = {"userId": "u", "code": code}
    for _ in range(2):
        ask(secret, "POST", "/campaigns/summer-promo/redeem", json=use)
    ask(secret, "POST", "/campaigns/codes/generate", json={})
    ask(secret, "GET", "/campaigns/codes?slug=summer-promo")
    ask(secret, "HEAD", "/campaigns/codes?slug=summer-promo")
    ask(secret, "GET", "/openapi.json")
    redeem = "POST /campaigns/{slug}/redeem"
    assert rows() == [
        (call, not message, message, "secret 1", "192.0.2.7")
        for call, message in (
            (GENERATE, ""),
            (redeem, ""),
            (redeem, "code_redeemed"),
            (GENERATE, "invalid_request"),
            ("GET /campaigns/codes", ""),
            ("GET /campaigns/codes", ""),
        )
    ]


def test_a_kept_answer_is_noted_like_the_first(
    ask: Ask, secret: str, rows: Callable[[], Any]
) -> None:
    for key in ("1", "1", "2", "2"):
        slug = "summer-promo" if key == "1" else "none"
        body, headers = ORDER | {"slug": slug}, {"Idempotency-Key": key}
        ask(secret, "POST", "/campaigns/codes/generate", json=body, headers=headers)
    assert [row[2] for row in rows()] == ["", "", "campaign_not_found", "campaign_not_found"]


def test_a_secret_that_is_revoked_is_known_and_one_that_nobody_has_is_not(
    ask: Ask, secret: str, rows: Callable[[], Any]
) -> None:
    secrets.revoke(1)
    ask(secret, "GET", "/campaigns/codes/stats")
    for number in range(5):
        ask(f"sk_live_{number:032x}", "GET", "/campaigns/codes/stats")
    ask("", "GET", "/campaigns/codes/stats")
    call = "GET /campaigns/codes/stats"
    assert rows() == [
        (call, False, "secret_revoked", "secret 1", "192.0.2.7"),
        ("", False, "calls without a right key: 6", "", "192.0.2.7"),
    ]


def test_a_fault_of_ours_is_noted(
    ask: Ask, secret: str, rows: Callable[[], Any], store: Settings
) -> None:
    with stores.session(store.database_url) as other:
        other.execute_sql("ALTER TABLE campaign RENAME TO gone")
    assert ask(secret, "GET", "/campaigns/codes/stats?slug=summer-promo").status_code == 503
    assert [row[1:4] for row in rows()] == [(False, "store_unavailable", "secret 1")]


def test_the_secret_is_nowhere_in_the_store(
    ask: Ask, secret: str, rows: Callable[[], Any], store: Settings
) -> None:
    wrong = "sk_live_" + "0123456789abcdef" * 2
    for sent in (secret, wrong):
        ask(sent, "GET", f"/campaigns/codes?slug={sent}")
        ask(sent, "POST", f"/campaigns/{sent}/redeem", json={"userId": sent, "code": sent})
    assert len(rows()) == 3
    written = stores.contents(store.database_url)
    assert Secret.get().digest.encode() in written
    assert secret.encode() not in written
    assert wrong.encode() not in written


@pytest.mark.usefixtures("app")
def test_the_name_of_every_route_fits(app: Flask) -> None:
    names = [
        f"{method} {path_template(rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.rule.startswith("/v1")
    ]
    assert GENERATE in names
    assert max(map(len, names)) <= usage.CALL_LENGTH


def test_no_access_can_have_the_name_of_a_secret() -> None:
    assert not PAIR_PATTERN.fullmatch(usage.of_secret(3))


def test_the_command_and_the_call_list_both_apis(
    ask: Ask, secret: str, rows: Callable[[], Any], run: Run, client: FlaskClient
) -> None:
    client.get(f"/api.php?{urlencode(CREDENTIALS | {'call': 'listPromoCodes'})}")
    ask(secret, "GET", "/campaigns/codes/stats?slug=summer-promo")
    rows()

    def listed(*options: str) -> list[str]:
        done = run("usage", "list", "--json", *options)
        return [each["call"] for each in json.loads(done.stdout)]

    stats = "GET /campaigns/codes/stats"
    assert listed() == [stats, "listPromoCodes"]
    assert listed("--secret", "1") == listed("--call", stats) == [stats]
    assert listed("--secret", "2") == []
    assert run("usage", "list", "--secret", "1", "--api-id", "x").exit_code == 2
    query = CREDENTIALS | {"call": "listAPIUsage", "access": "secret 1"}
    (row,) = client.get(f"/api.php?{urlencode(query)}").json["usage"]
    columns = ["id", "date", "call", "success", "message", "api_id", "address", "route"]
    assert list(row) == columns
    assert (row["call"], row["api_id"]) == (stats, "secret 1")
