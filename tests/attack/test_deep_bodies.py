"""Deep bodies are refused in words, never by an error of ours, before anything is built of them."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from flask.testing import FlaskClient

from calls.php import InvalidRequest, check_json
from calls.php.arrays import MAX_DEPTH
from models.access import secrets
from models.promotions.campaign_counts import Owner
from tests.credentials import CREDENTIALS, QUERY

KEY = {"Idempotency-Key": "a"}
TOO_DEEP = [MAX_DEPTH + 1, 971, 5_000, 100_000]


def nested(depth: int, inside: str = "1") -> str:
    """Return an object with a member of so many levels, of lists and objects in turn."""
    openers = ('[{"a":' * depth)[: depth // 2 * 6] + "[" * (depth % 2)
    closers = "]" * (depth % 2) + "}]" * (depth // 2)
    return f'{{"userId":"u","code":"a","deep":{openers}{inside}{closers}}}'


@pytest.fixture
def verify(client: FlaskClient) -> Any:
    headers = {"X-API-Secret": secrets.add(Owner())[1], "Content-Type": "application/json"}

    def send(body: str, **more: str) -> Any:
        path = "/v1/campaigns/none/redeem" if more else "/v1/campaigns/codes/verify"
        return client.post(path, data=body, headers=headers | more)

    return send


@pytest.mark.parametrize("depth", TOO_DEEP)
@pytest.mark.parametrize("more", [{}, KEY], ids=["plain", "with a key"])
def test_a_deep_body_for_v1_is_a_wrong_body(verify: Any, depth: int, more: dict[str, str]) -> None:
    answer = verify(nested(depth), **more)
    assert (answer.status_code, answer.json["message"]) == (400, "Invalid request body")
    assert answer.json["errors"] == {"body": [f"There are more than {MAX_DEPTH} levels."]}


def test_a_body_as_deep_as_can_be_is_read_by_both(client: FlaskClient, verify: Any) -> None:
    body = nested(MAX_DEPTH)
    assert verify(body).status_code == 200
    assert verify(body, **KEY).status_code == 404
    path = f"/api.php?{QUERY}&call=getHostBillversion"
    answer = client.post(path, data=body, content_type="application/json")
    assert answer.json["success"]


@pytest.mark.parametrize("depth", TOO_DEEP)
@pytest.mark.parametrize("call", ["getHostBillversion", "deletePromoCode"])
def test_a_deep_body_is_a_wrong_parameter(client: FlaskClient, depth: int, call: str) -> None:
    more = "".join(f'"{name}":"{value}",' for name, value in CREDENTIALS.items())
    body = f'{{{more}"idempotency_key":"a","call":"{call}",{nested(depth)[1:]}'
    answer = client.post("/api.php", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["error"]) == (200, ["Wrong parameter"])


@pytest.mark.parametrize(
    "body",
    [
        *("[" * 100_000, '{"a":' * 100_000, "]" * 100_000, '"' + "[" * 100_000),
        *("[{]}" * 50_000, "1 " + "[" * 971),
    ],
)
def test_brackets_that_match_nothing_are_a_wrong_body(
    client: FlaskClient, verify: Any, body: str
) -> None:
    assert verify(body).status_code == 400
    answer = client.post("/api.php", data=body, content_type="application/json")
    assert answer.json["error"] == ["Wrong parameter"]


def test_brackets_in_a_text_are_no_levels(verify: Any) -> None:
    for text in ("[" * 1000, '\\"[' * 1000, "\\\\", "[{" * 500 + "\\\\"):
        assert verify(f'{{"code":"a","x":"{text}"}}').status_code == 200
    check_json(json.dumps({"a": ['[]{},"\\' * 1000] * 10}), 11)


@pytest.mark.parametrize("unit", ["[", '{"a":', "[1,", '["a\\"",'])
def test_depth_is_measured_without_building_anything(unit: str) -> None:
    text = unit * 200_000
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest):
            check_json(text, 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
