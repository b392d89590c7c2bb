"""A store that every feature has left something in."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings
from app.exchange import saved_answers
from models.access import accesses, call_names, refused_tries, secrets, usage
from models.access.accesses import Pair
from models.access.refused_tries import Try
from models.access.usage import Entry
from models.campaigns import campaigns, jobs
from models.panel import differences, learning, pending, recordings, routes
from models.panel.differences import Compared, Found
from models.panel.walks import PanelAnswer, PanelWalk
from models.people import invites, sessions, users
from models.promotions import batch_jobs
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Owner
from models.promotions.terms import Terms
from models.redemptions.redemption import RELEASED, Redemption
from models.store import clock, visibility
from models.store.base import change, database
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import Try as Attempt
from models.webhooks.deliveries import WebhookEvent
from models.webhooks.webhooks import EVENTS
from tests import saved
from tests.credentials import CREDENTIALS, PAIR

LARGEST = 2**63 - 1
LAST_MOMENT = 253_402_300_799
LINE = "Zażółć \U0001f381 'q' \"d\" \\ % ? trailing "
ODD = f"{LINE}\t\r\n\u2028\x01\x7f trailing "
"""What only an import brings: calls refuse the control characters."""
SLUG = "summer-promo"
LISTS: tuple[dict[str, Any], ...] = (
    {"call": "listPromoBatches"},
    {"call": "listPromoCodes", "perpage": 1000, "include_batch": 1},
    {"call": "listPromoUsage"},
    {"call": "listAPIUsage"},
    {"call": "getPromoDetailsByCode", "code": "ALONE"},
    {"call": "getPromoBatchDetails", "id": 7},
)


def fill(folder: Path, app: Flask) -> str:
    """Use every feature of the application, which knows PAIR; return a secret of the REST API."""
    client = app.test_client()
    _imported(folder)
    _legacy(client)
    secret = _rest(client)
    _extremes()
    refused_tries.write([Try(clock.now(), "verify", "CODE", "code_not_found", user_id=LINE)], 9)
    batch_jobs.add("Waiting", Terms.of(), 1)
    invites.make(users.add("żaneta", "viewer", "correct horse battery"))
    sessions.begin(users.by_name("żaneta").id)
    accesses.add("śklep", Pair("another-id", "another-key"), "10.0.0.0/8 ::1")
    learning.begin("192.0.2.0/24", 1)
    learning.register(Pair("learned-id", "learned-key"), "192.0.2.7")
    accesses.deny("another-id", ["addPromoCode"], ["addPromoCode", "listPromoCodes"])
    accesses.enable("another-id", False)
    usage.write([Entry(clock.now(), "", "none", PAIR.api_id, True, "::1", "forward")] * 3)
    call_names.admitted({"getClients"})
    recordings.begin(ODD, 60)
    _routed()
    _told()
    return secret


def call(client: FlaskClient, name: str, /, **arguments: Any) -> dict[str, Any]:
    """Return the envelope of a success."""
    answer = client.post("/admin/api.php", data=CREDENTIALS | {"call": name} | arguments)
    envelope: dict[str, Any] = json.loads(answer.data)
    assert envelope["success"], envelope
    return envelope


def answers(settings: Settings, secret: str) -> list[bytes]:
    """Return what the application over a store says, to the byte."""
    app = create_app(settings)
    client = app.test_client()
    said = [client.get("/admin/api.php", query_string=CREDENTIALS | each).data for each in LISTS]
    for path in (
        f"codes?slug={SLUG}&limit=100",
        f"codes/batches?slug={SLUG}",
        f"codes/stats?slug={SLUG}",
    ):
        answer = client.get(f"/v1/campaigns/{path}", headers={"X-API-Secret": secret})
        assert answer.status_code == 200, answer.data
        said.append(answer.data)
    app.config["USAGE_LOG"].close()
    database.close_all()
    return said


def _told() -> None:
    webhook = webhooks.add(
        "https://shop.example/hooks", EVENTS, "sealed", visibility.LIVE, LINE, networks=["::1/128"]
    )
    webhooks.rotate(webhook.id, "sealed anew")
    due = deliveries.send_test(webhook)
    deliveries.settle([Attempt(due.delivery, webhook.format, 410, LINE, 5.0, 0.5)])
    WebhookEvent.update(once=LINE).execute()


def _routed() -> None:
    routes.switch("listPromoCodes", "shadow")
    with change():
        pending.take_off("addPromoCode", LINE, 60)
        pending.begin(
            "updatePromoCode", "digest", LINE, 60, before={"code": ODD}, coupon_id=LARGEST
        )
    differences.note([Compared("listPromoCodes", [Found("coupons[].notes", ODD, LINE)])])
    differences.ignore(ODD)


def _imported(folder: Path) -> None:
    archived = {"status": "Archived", "active": "0"}
    inside = [saved.coupon(11, 7, num_usage="3"), saved.coupon(12, 7, **archived)]
    codes = [saved.line(saved.coupon(1_000_000_007, code="FAR"))]
    batch = saved.batch(7, inside, name=ODD, notes=ODD)
    each = saved.answer("batches", [batch]), saved.answer("coupons", codes)
    saved_answers.store_files([saved.save(folder / "answers.json", *each)])
    walk = PanelWalk.create(started_at=1, batches=1, coupons=LARGEST)
    PanelAnswer.create(walk_id=walk.id, kind="batches", number=0, body=bytes(range(256)))


def _legacy(client: FlaskClient) -> None:
    terms = {"coupon_type": "cart", "type": "percent", "value": "12.5"}
    call(
        client,
        "addPromoCode",
        code="ALONE",
        clients="all",
        notes=f"{LINE}\t\r\n\u2028",
        expires="2030-02-28",
        **terms,
    )
    call(client, "addPromoCode", code="GONE", **terms)
    call(client, "addPromoCode", code="ARCHIVED", **terms)
    call(client, "addPromoBatch", name=LINE, prefix="B-", size=30, idempotency_key="b", **terms)
    batch = Batch.select().order_by(Batch.id.desc()).get()
    call(client, "generatePromoCodes", id=batch.id, size=5)
    call(client, "addPromoBatch", name="Old", size=3, **terms)
    call(client, "editPromoBatch", id=batch.id + 1, status="Archived")
    used = {"code": "ALONE", "amount": "19.99"}
    first = call(client, "redeemPromoCode", client_id=7, order_id=1001, **used)["redemption"]
    call(
        client,
        "redeemPromoCode",
        client_id=2**31 - 1,
        order_id=2**31 - 1,
        account_id=2**31 - 1,
        idempotency_key="r",
        **used,
    )
    call(client, "releasePromoCode", id=first["id"])
    call(client, "editPromoCode", code="ARCHIVED", status="Archived")
    call(client, "deletePromoCode", code="GONE")


def _rest(client: FlaskClient) -> str:
    campaigns.add(Owner(), SLUG, "Summer \U0001f334", ends_at=LAST_MOMENT)
    campaigns.add(Owner(visibility.TEST, "Partner"), SLUG, "Test")
    _, secret = secrets.add(Owner(), "shop")
    revoked, _ = secrets.add(Owner(visibility.TEST, "Partner"))
    secrets.revoke(revoked.id)

    def post(path: str, body: dict[str, Any], **headers: str) -> Any:
        answer = client.post(
            f"/v1/campaigns/{path}", json=body, headers={"X-API-Secret": secret} | headers
        )
        assert answer.status_code < 300, answer.data
        return answer.get_json()["data"]

    order = {"slug": SLUG, "batchSize": 20, "pointsValue": 500}
    codes = post("codes/generate", order, **{"Idempotency-Key": "k"})["codes"]
    post("codes/import", {"slug": SLUG, "pointsValue": 5, "codes": ["Own-Code", "OTHER"]})
    uses = [
        post(f"{SLUG}/redeem", {"userId": user, "code": code})
        for user, code in zip(("u-1", "użytkownik", "u-1"), codes, strict=False)
    ]
    post(f"{SLUG}/redemptions/{uses[0]['redemptionId']}/rollback", {})
    post("codes/revoke", {"code": codes[5]})
    post("codes/jobs", order)
    while (waiting := jobs.next_unfinished()) is not None:
        jobs.work(waiting)
    post("codes/jobs", order)
    return secret


def _extremes() -> None:
    Redemption.create(
        id=2**62,
        coupon_id=LARGEST,
        batch_id=0,
        code="\u00e9" * 32,
        amount=Decimal("0.0001"),
        discount=Decimal("99999999999999999999.9999"),
        state=RELEASED,
        redeemed_at=-1,
        released_at=LAST_MOMENT,
        user_id=ODD,
    )
    terms = Terms.of(expires=date(9999, 12, 31), notes=ODD * 2000, products={"9": "9", "10": "x"})
    terms.stored()
