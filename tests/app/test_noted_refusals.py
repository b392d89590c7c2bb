"""Both APIs note the tries that they refuse, and none that they grant."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.access import secrets
from models.access.refused_tries import RefusedTry
from models.campaigns import campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.promotions import coupons
from models.promotions.campaign_counts import Owner
from models.promotions.terms import Terms
from tests.credentials import CREDENTIALS, PAIR


def kept(app: Flask) -> list[tuple[Any, ...]]:
    app.config["USAGE_LOG"].close()
    columns = RefusedTry.call, RefusedTry.coupon_id, RefusedTry.reason, RefusedTry.client_id
    query: Any = RefusedTry.select(*columns, RefusedTry.user_id, RefusedTry.who)
    return list(query.order_by(RefusedTry.id).tuples())


def test_the_legacy_api(app: Flask, client: FlaskClient) -> None:
    coupon = coupons.add("ONCE", Terms.of(value=Decimal(5), type="fixed", max_usage=1))

    def call(name: str, **arguments: Any) -> bool:
        query = CREDENTIALS | {"call": name} | arguments
        return bool(client.get("/admin/api.php", query_string=query).json["success"])

    assert call("redeemPromoCode", code="once", client_id=7)
    assert call("validatePromoCode", code="ONCE", client_id=8)
    assert not call("redeemPromoCode", code="ONCE", client_id=9)
    assert not call("redeemPromoCode", code="ONCE", client_id="x")
    assert not call("applyInvoiceCoupon", id=3, applycoupon="ONCE")
    assert not call("applyInvoiceCoupon", id=3, applycoupon="NONE-AT-ALL")
    used_up = (coupon.id, "code_used_up")
    assert kept(app) == [
        ("validatePromoCode", *used_up, 8, "", PAIR.api_id),
        ("redeemPromoCode", *used_up, 9, "", PAIR.api_id),
        ("applyInvoiceCoupon", *used_up, 0, "", PAIR.api_id),
        ("applyInvoiceCoupon", 0, "code_not_found", 0, "", PAIR.api_id),
    ]


def test_the_rest_api(app: Flask, client: FlaskClient) -> None:
    secret, text = secrets.add(Owner())
    code = campaign_making.generate(campaigns.add(Owner(), "promo", "P"), 1, Plan(5))[1][0]
    headers = {"X-API-Secret": text}

    def post(path: str, **body: str) -> int:
        return client.post(f"/v1/campaigns/{path}", json=body, headers=headers).status_code

    assert post("codes/verify", code=code) == 200
    assert post("promo/redeem", code=code, userId="u1") == 200
    assert post("promo/redeem", code=code, userId="u2") == 409
    assert post("codes/verify", code=code) == 200
    assert post("codes/verify", code="NONE") == 200
    coupon_id = RefusedTry.select().count() or coupons.Coupon.get().id
    who = f"secret {secret.id}"
    assert kept(app) == [
        ("redeem", coupon_id, "code_redeemed", 0, "u2", who),
        ("verify", coupon_id, "code_redeemed", 0, "", who),
        ("verify", 0, "code_not_found", 0, "", who),
    ]


@pytest.mark.parametrize("code", ["x" * 5000, "naïve\u2028", "\ud800"])
def test_odd_codes(app: Flask, client: FlaskClient, code: str) -> None:
    body = CREDENTIALS | {"call": "redeemPromoCode", "code": code.encode(errors="surrogatepass")}
    client.post("/admin/api.php", data=body)
    assert len(kept(app)) <= 1
