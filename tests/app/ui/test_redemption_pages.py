"""Redemptions: filtered, summed, downloaded, given back."""

from __future__ import annotations

import csv
import io
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from models.campaigns import campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.promotions import batch_life, coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import players, redemptions
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.audit import AuditEntry
from tests.app.ui.people import Person

PATH = "/ui/redemptions"


def test_a_number_with_zeros_before_it_is_looked_at_as_a_whole(viewer: Person) -> None:
    page = viewer.text(f"{PATH}?client_id={'0' * 20}{'9' * 30}", 400)
    assert "This must be a number." in page


@pytest.fixture
def used(app: Flask) -> dict[str, Any]:
    """Use two codes of a batch, one that stands alone, and one of a campaign."""
    today = clock.today(UTC)
    batch = batch_life.make("Spring", Terms.of(value=10, coupon_type="invoice_cart"), 2)
    uses = (
        {"client_id": 7, "amount": Decimal(20)},
        {"client_id": 8, "invoice_id": 801, "amount": Decimal(30)},
        {"client_id": 8, "order_id": 501, "amount": Decimal(40)},
    )
    codes = [*Coupon.select().order_by(Coupon.id), coupons.add("=SUM(1)", Terms.of(value=10))]
    for coupon, use in zip(codes, uses, strict=True):
        redemptions.redeem(coupon, Use(today=today, places=2, **use))
    campaign = campaigns.add(Owner(), "promo", "Promo")
    _, (code,) = campaign_making.generate(campaign, 1, Plan(5))
    campaign_codes.redeem(Owner(), "promo", "user-9", code, today)
    return {"batch": batch.id, "campaign": campaign.id, "code": code, "today": today}


@pytest.mark.parametrize(
    ("query", "rows", "total"),
    [
        ("", 4, "4 uses · 9.00 given this month"),
        ("?client_id=8", 2, "2 uses · 7.00 given"),
        ("?invoice_id=801", 1, "1 use · 3.00 given"),
        ("?order_id=501", 1, "1 use · 4.00 given"),
        ("?user_id=user-9", 1, "1 use · 0.00 given"),
        ("?batch_id={batch}", 2, "2 uses · 5.00 given"),
        ("?campaign_id={campaign}", 1, None),
        ("?state=released", 0, None),
        ("?since={today}&until={today}", 4, "4 uses · 9.00 given"),
        ("?since={tomorrow}", 0, "0 uses · 0.00 given"),
        ("?until={yesterday}", 0, "0 uses · 0.00 given"),
    ],
)
def test_filters_and_totals(
    viewer: Person, used: dict[str, Any], query: str, rows: int, total: str | None
) -> None:
    near = {"tomorrow": used["today"] + timedelta(1), "yesterday": used["today"] - timedelta(1)}
    page = viewer.text(PATH + query.format(**used, **near))
    assert page.count("<tr>") == (rows + 1 if rows else 0)
    if total is not None:
        assert f"<p>{total}</p>" in page
    assert used["code"] not in page


@pytest.mark.parametrize("query", ["client_id=x", "since=yesterday", "batch_id=99999999999"])
def test_a_filter_of_no_use_says_so(viewer: Person, query: str) -> None:
    assert 'class="error"' in viewer.text(f"{PATH}?{query}", 400)


def test_csv_is_harmless_and_masked(app: Flask, used: dict[str, Any]) -> None:
    text = Person(app, "operator").get(f"{PATH}/csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 4
    assert rows[1]["code"] == "'=SUM(1)"
    assert rows[0]["user_id"] == "user-9"
    assert used["code"] not in text
    assert Person(app, "viewer").get(f"{PATH}/csv").status_code == 403


def test_a_use_is_given_back_once_with_a_reason(app: Flask, used: dict[str, Any]) -> None:
    operator = Person(app, "operator", "otto")
    for use in Redemption.select().where(Redemption.client_id << [0, 7]):
        path = f"{PATH}/{use.id}"
        assert operator.post(path, {"reason": ""}).status_code == 400
        assert operator.post(path, {"reason": "a mistake"}).status_code == 303
        assert Redemption.get_by_id(use.id).state == "released"
        assert "Given back" in operator.text(path)
        entry = AuditEntry.get(AuditEntry.subject_id == use.id, AuditEntry.action == "released")
        assert (entry.actor, entry.reason) == ("otto", "a mistake")
        assert used["code"] not in entry.subject
    assert players.points(used["campaign"], "user-9") == 0
    assert "Released" in operator.text(f"{PATH}?state=released")
    assert operator.text(f"{PATH}/999", 404)


def test_texts_of_clients_are_shown_as_they_are(app: Flask, viewer: Person) -> None:
    campaign = campaigns.add(Owner(), "promo", "<script>alert(1)</script>")
    _, (code,) = campaign_making.generate(campaign, 1, Plan(5, "<script>alert(2)</script>"))
    user = "<script>alert(3)</script>"
    done = campaign_codes.redeem(Owner(), "promo", user, code, clock.today(UTC))
    batch_id = done.redemption.batch_id
    for path in (
        *(PATH, f"{PATH}/{done.redemption.id}", f"{PATH}?user_id={user}"),
        *("/ui/campaigns", f"/ui/campaigns/{campaign.id}", f"/ui/batches/{batch_id}", "/ui/audit"),
    ):
        assert b"<script>alert" not in viewer.get(path).data, path
