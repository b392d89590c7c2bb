"""idempotency_key: a change that is asked for twice happens once and is answered alike."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from models.access import accesses, secrets
from models.access.accesses import Pair
from models.promotions import coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import clock
from models.store.idempotency import KeptReply
from tests.credentials import CREDENTIALS, PAIR
from tests.serving import served

ADD = {"call": "addPromoCode", "coupon_type": "cart", "type": "percent", "value": "10"}
NOON = 1_700_000_000
OTHER_ARGUMENTS = "Wrong parameter: idempotency_key (was used with other arguments before)"
NO_KEY = "Wrong parameter: idempotency_key (must be 1 to 255 printable characters)"
CLIENTS, KEYS = 8, 6


@pytest.fixture(autouse=True)
def passing_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a minute pass with each look at the clock, so that no two answers are alike by chance."""
    times = iter(range(NOON, NOON + 60_000, 60))
    monkeypatch.setattr(clock, "now", lambda: next(times))


def ask(client: FlaskClient, key: str = "key", **arguments: str) -> bytes:
    """Ask for a new code under the key."""
    query = CREDENTIALS | ADD | {"code": "SPRING", "idempotency_key": key} | arguments
    return client.get(f"/api.php?{urlencode(query)}").data


def errors(body: bytes) -> list[str]:
    return json.loads(body)["error"]


def codes() -> list[str]:
    return [coupon.code for coupon in Coupon.select().order_by(Coupon.id)]


def test_the_answer_is_given_again_to_the_byte(client: FlaskClient) -> None:
    first = ask(client)
    answer = json.loads(first)
    assert list(answer) == ["success", "code", "call", "server_time", "info"]
    assert answer["success"] is True
    assert [ask(client), ask(client)] == [first, first]
    assert codes() == ["SPRING"]


def test_how_it_is_asked_does_not_matter(client: FlaskClient) -> None:
    first = ask(client, **{"products[a]": "1", "products[b]": "2", "apply_products": "1"})
    form = [
        ("idempotency_key", "key"),
        ("apply_products", "1"),
        ("products[b]", "2"),
        ("value", "10"),
        ("unknown", "x"),
        ("products[a]", "1"),
        ("type", "percent"),
        ("code", "SPRING"),
        ("outputformat", "json"),
        ("coupon_type", "cart"),
    ]
    query = urlencode(CREDENTIALS | {"call": "addPromoCode"})
    content_type = "application/x-www-form-urlencoded"
    posted = client.post(f"/api.php?{query}", data=urlencode(form), content_type=content_type)
    assert posted.data == first
    body = {name: value for name, value in form if "[" not in name}
    body["products"] = {"b": "2", "a": "1"}
    assert client.post(f"/api.php?{query}", json=body).data == first


def test_arguments_that_the_call_does_not_take_do_not_matter(client: FlaskClient) -> None:
    coupons.add("CODE", Terms.of(coupon_type="invoice"))
    applied = {"call": "applyInvoiceCoupon", "id": "1", "applycoupon": "CODE"}
    first = ask(client, **applied, lang="1")
    assert b'"success":true' in first
    assert ask(client, **applied, lang="2") == first


def test_other_arguments_are_refused(client: FlaskClient) -> None:
    ask(client)
    assert errors(ask(client, code="SUMMER")) == [OTHER_ARGUMENTS]
    assert errors(ask(client, notes="new")) == [OTHER_ARGUMENTS]
    assert codes() == ["SPRING"]
    assert json.loads(ask(client, code="SUMMER", key="another"))["success"] is True


@pytest.mark.parametrize("key", ["", "k" * 256, "a\nb", "a\0b", "\x7f", "\u200b"])
def test_a_key_that_is_none_is_refused(client: FlaskClient, key: str) -> None:
    assert errors(ask(client, key)) == [NO_KEY]
    assert codes() == []


@pytest.mark.parametrize("pair", ["idempotency_key[]=x", "idempotency_key=%FF"])
def test_a_key_that_is_no_text_is_refused(client: FlaskClient, pair: str) -> None:
    query = urlencode(CREDENTIALS | ADD | {"code": "SPRING"})
    assert errors(client.get(f"/api.php?{query}&{pair}").data) == [NO_KEY]
    assert codes() == []


@pytest.mark.parametrize("key", ["k", "k" * 255, "Größe 4/5 ✓"])
def test_any_printable_key_will_do(client: FlaskClient, key: str) -> None:
    assert ask(client, key) == ask(client, key)
    assert codes() == ["SPRING"]


def test_a_wrong_key_is_named_with_all_that_is_wrong(client: FlaskClient) -> None:
    wrong = errors(ask(client, key="", value="1,50", type="gift"))
    assert [text.split(" (")[0] for text in wrong] == [
        "Wrong parameter: value",
        "Wrong parameter: type",
        "Wrong parameter: idempotency_key",
    ]


def test_a_refusal_is_given_again_though_its_reason_is_gone(client: FlaskClient) -> None:
    standing = coupons.add("SPRING", Terms.of())
    first = ask(client)
    assert errors(first) == ["The promotion code already exists"]
    standing.delete_instance()
    assert ask(client) == first
    assert json.loads(ask(client, key="another"))["success"] is True


def test_wrong_arguments_are_not_kept(client: FlaskClient) -> None:
    assert errors(ask(client, value="much"))
    assert json.loads(ask(client))["success"] is True


def test_keys_of_two_accesses_do_not_meet(client: FlaskClient) -> None:
    other = Pair("aa22334455667788990a", "bbb8c7d6e5f4a3b2c1d0")
    accesses.add("other", other)
    ask(client)
    assert "already exists" in errors(ask(client, api_id=other.api_id, api_key=other.api_key))[0]


def test_a_kept_answer_needs_the_same_rights(client: FlaskClient) -> None:
    first = ask(client)
    assert errors(ask(client, api_key="0" * 20)) == ["Wrong API ID or API Key"]
    accesses.deny(PAIR.api_id, ["addPromoCode"], ["addPromoCode", "listPromoCodes"])
    assert "not allowed" in errors(ask(client))[0]
    accesses.allow(PAIR.api_id, None)
    assert ask(client) == first


def test_reading_calls_take_no_key(client: FlaskClient) -> None:
    arguments: dict[str, Any] = {"call": "listPromoCodes", "key": ""}
    first, second = (json.loads(ask(client, **arguments)) for _ in range(2))
    assert first["success"] is True
    assert first["server_time"] < second["server_time"]
    assert KeptReply.select().count() == 0


def test_the_operator_has_keys_of_its_own(app: Flask, client: FlaskClient) -> None:
    first = ask(client)
    query = urlencode(ADD | {"code": "SPRING", "idempotency_key": "key"})
    environ = {"promobridge.operator": "1"}
    own = client.get(f"/api.php?{query}", environ_overrides=environ).data
    assert own != first
    assert client.get(f"/api.php?{query}", environ_overrides=environ).data == own


KEPT_EARLIER = {
    "legacy": {
        "scope": "addPromoCode 1122334455667788990a",
        "arguments": "e64765559058aee5ca13c35a0d1a613c675b4cbdb31dd98276fe43548ad3a1af",
        "body": b'{"success":true,"code":"SPRING"}',
    },
    "rest": {
        "scope": "rest 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "arguments": "1427fdc9053fe2559b69e61d0f3fc684265bf267fb589ac9d4106e1f8c1098fc",
        "body": b'[201, {"Content-Type": "text/csv; charset=utf-8"}]\ncode\r\nSUMM-3MFU73NF\r\n',
    },
}
"""Rows as the first version with this table has written them."""


def test_replies_of_earlier_versions_are_given_again(client: FlaskClient) -> None:
    key = hashlib.sha256(b"key").hexdigest()
    for row in KEPT_EARLIER.values():
        KeptReply.insert(key=key, made_at=NOON, **row).execute()
    more = {"products[b]": "1", "products[a]": "2", "apply_products": "1", "notes": "Größe"}
    assert ask(client, **more) == KEPT_EARLIER["legacy"]["body"]
    _, secret = secrets.add(Owner())
    answer = client.post(
        "/v1/campaigns/codes/generate",
        json={"slug": "summer-promo", "batchSize": 2, "pointsValue": 5, "label": "Größe"},
        headers={"X-API-Secret": secret, "Idempotency-Key": "key", "Accept": "text/csv"},
    )
    assert (answer.status_code, answer.data) == (201, b"code\r\nSUMM-3MFU73NF\r\n")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert codes() == []


def test_many_processes_answer_one_key_once(store: Settings, tmp_path: Path) -> None:
    accesses.add("tests", PAIR)
    start = threading.Barrier(CLIENTS)

    def one_client(number: int) -> list[bytes]:
        bodies = []
        for key in range(KEYS):
            # The last key is for a code that is there already, so that refusals meet too.
            code = f"CODE{min(key, KEYS - 2)}"
            query = CREDENTIALS | ADD | {"code": code, "idempotency_key": f"key {key}"}
            start.wait(30)
            bodies.append(server.get(urlencode(query)).body)
        return bodies

    with (
        served(tmp_path, command=("serve", "--workers", "4")) as server,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        answers = list(clients.map(one_client, range(CLIENTS)))
    by_key = [set(bodies) for bodies in zip(*answers, strict=True)]
    assert [len(bodies) for bodies in by_key] == [1] * KEYS
    assert [json.loads(bodies.pop())["success"] for bodies in by_key] == [True] * (KEYS - 1) + [
        False
    ]
    assert codes() == [f"CODE{key}" for key in range(KEYS - 1)]
    assert KeptReply.select().count() == KEYS
