"""An answer that says `used` is forgotten with its use: the same request counts again."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.access import secrets
from models.campaigns import campaigns
from models.checks.recount import differences
from models.promotions import coupons
from models.promotions.campaign_counts import Owner
from models.promotions.terms import Terms
from models.redemptions.redemption import USED, Redemption
from models.store.idempotency import KeptReply, ReplyShare
from tests.credentials import CREDENTIALS
from tests.recount import assert_counts_are_right

USED_UP = ["The promotion code has been used as often as it may be"]
SLUG = "summer-promo"
CLIENTS = 8


def body(client: FlaskClient, call: str, /, **arguments: Any) -> bytes:
    return client.post("/admin/api.php", data=CREDENTIALS | {"call": call} | arguments).data


def ask(client: FlaskClient, call: str, /, **arguments: Any) -> Any:
    return json.loads(body(client, call, **arguments))


def once(code: str = "KEY1", **terms: Any) -> str:
    coupons.add(code, Terms.of(value=10, max_usage=1, **terms))
    return code


def standing() -> list[int]:
    return [use.id for use in Redemption.select().where(Redemption.state == USED)]


@pytest.mark.usefixtures("app")
class TestCalls:
    def test_released_then_asked_again_with_the_same_key(self, client: FlaskClient) -> None:
        use = {"code": once(), "amount": "10", "order_id": 4001, "idempotency_key": "order-4001"}
        first = ask(client, "redeemPromoCode", **use)["redemption"]["id"]
        assert ask(client, "redeemPromoCode", **use)["redemption"]["id"] == first
        ask(client, "releasePromoCode", id=first)
        again = ask(client, "redeemPromoCode", **use)
        assert again["redemption"]["id"] != first
        assert again["info"] == ["The promotion code has been redeemed"]
        assert body(client, "redeemPromoCode", **use) == body(client, "redeemPromoCode", **use)
        assert (
            ask(client, "redeemPromoCode", **use | {"order_id": 4002, "idempotency_key": "b"})[
                "error"
            ]
            == USED_UP
        )
        assert standing() == [int(again["redemption"]["id"])]
        assert_counts_are_right()

    def test_every_answer_that_tells_of_the_use_is_forgotten(self, client: FlaskClient) -> None:
        use = {"code": once(), "order_id": 1}
        ids = [
            ask(client, "redeemPromoCode", **use, idempotency_key=key)["redemption"]["id"]
            for key in "ab"
        ]
        assert ids == [ids[0]] * 2
        ask(client, "releasePromoCode", id=ids[0], idempotency_key="c")
        later = ask(client, "redeemPromoCode", **use, idempotency_key="b")["redemption"]
        assert later["id"] != ids[0]
        assert later["state"] == "used"
        # The answer to the release is kept: it is as true as it was.
        assert ask(client, "releasePromoCode", id=ids[0], idempotency_key="c")["success"]
        assert standing() == [int(later["id"])]

    def test_an_invoice_is_forgotten_too(self, client: FlaskClient) -> None:
        applied = {"id": 7, "applycoupon": once(coupon_type="invoice"), "idempotency_key": "k"}
        assert ask(client, "applyInvoiceCoupon", **applied)["success"]
        (first,) = standing()
        ask(client, "releasePromoCode", id=first)
        assert ask(client, "applyInvoiceCoupon", **applied)["success"]
        (second,) = standing()
        assert second != first

    def test_the_key_is_free_after_a_release(self, client: FlaskClient) -> None:
        code = once()
        first = ask(client, "redeemPromoCode", code=code, order_id=1, idempotency_key="k")
        changed = {"code": code, "order_id": 2, "idempotency_key": "k"}
        assert "other arguments" in ask(client, "redeemPromoCode", **changed)["error"][0]
        ask(client, "releasePromoCode", id=first["redemption"]["id"])
        assert ask(client, "redeemPromoCode", **changed)["redemption"]["order_id"] == "2"

    def test_a_kept_refusal_stays(self, client: FlaskClient) -> None:
        code = once()
        first = ask(client, "redeemPromoCode", code=code, order_id=1)["redemption"]["id"]
        late = {"code": code, "order_id": 2, "idempotency_key": "late"}
        refused = body(client, "redeemPromoCode", **late)
        assert json.loads(refused)["error"] == USED_UP
        ask(client, "releasePromoCode", id=first)
        assert body(client, "redeemPromoCode", **late) == refused
        assert standing() == []

    def test_the_room_of_a_forgotten_answer_is_given_back(self, client: FlaskClient) -> None:
        use = {"code": once(), "order_id": 1, "idempotency_key": "k"}
        for _ in range(3):
            made = ask(client, "redeemPromoCode", **use)["redemption"]["id"]
            ask(client, "releasePromoCode", id=made)
        kept = sum(len(reply.body) for reply in KeptReply.select())
        assert KeptReply.select().count() == 1
        assert sum(share.size for share in ReplyShare.select()) == kept
        assert list(differences()) == []

    def test_one_use_where_many_ask_while_it_is_released(self, app: Flask) -> None:
        use = {"code": once(), "order_id": 1, "idempotency_key": "k"}
        first = ask(app.test_client(), "redeemPromoCode", **use)["redemption"]["id"]
        gate = Barrier(CLIENTS)

        def one(number: int) -> Any:
            client = app.test_client()
            gate.wait(30)
            if number == 0:
                return ask(client, "releasePromoCode", id=first)
            return ask(client, "redeemPromoCode", **use)

        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(one, range(CLIENTS)))
        assert all(answer["success"] for answer in answers), answers
        made = {answer["redemption"]["id"] for answer in answers[1:]} - {first}
        assert len(made) <= 1
        last = ask(app.test_client(), "redeemPromoCode", **use)["redemption"]["id"]
        assert last != first
        assert made <= {last}
        assert standing() == [int(last)]
        assert_counts_are_right()
        assert list(differences()) == []


def test_a_rollback_forgets_the_answer_of_its_redemption(client: FlaskClient) -> None:
    campaigns.add(Owner(), SLUG, "Summer")
    _, secret = secrets.add(Owner())

    def post(path: str, body: Any, key: str) -> Any:
        headers = {"X-API-Secret": secret, "Idempotency-Key": key}
        return client.post(f"/v1/campaigns/{path}", json=body, headers=headers)

    order = {"slug": SLUG, "batchSize": 1, "pointsValue": 5}
    (code,) = post("codes/generate", order, "made").get_json()["data"]["codes"]
    use = {"userId": "u", "code": code}
    first = post(f"{SLUG}/redeem", use, "k")
    assert post(f"{SLUG}/redeem", use, "k").data == first.data
    refused = post(f"{SLUG}/redeem", use, "other")
    path = f"{SLUG}/redemptions/{first.get_json()['data']['redemptionId']}/rollback"
    assert post(path, {}, "back").status_code == 200
    second = post(f"{SLUG}/redeem", use, "k")
    assert second.status_code == 200
    assert second.get_json()["data"]["redemptionId"] not in first.text
    assert second.get_json()["data"]["totalPoints"] == 5
    assert post(f"{SLUG}/redeem", use, "k").data == second.data
    assert post(f"{SLUG}/redeem", use, "other").data == refused.data
    assert post(path, {}, "back").status_code == 200
    assert list(differences()) == []
