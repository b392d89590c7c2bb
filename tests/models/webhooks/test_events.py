"""Events are written with their changes: each is told once, and nothing that did not happen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from app.config import Settings
from models.campaigns import (
    bulk_stops,
    campaign_codes,
    campaign_making,
    campaigns,
    endings,
    jobs,
    revocations,
)
from models.campaigns.campaign_making import Plan
from models.imports.own_codes import OwnCode, OwnCodeImport
from models.promotions import batch_jobs, batch_life, coupon_life, coupons, expiry
from models.promotions.campaign_counts import CampaignBatch, Owner
from models.promotions.coupons import Coupon
from models.promotions.expiry import Sweep
from models.promotions.terms import Terms
from models.redemptions import batch_deletion, redemptions, releases
from models.redemptions.use_rules import Use
from models.store import clock, visibility
from models.store.base import change
from models.webhooks import webhooks
from models.webhooks.deliveries import WebhookDelivery, WebhookEvent
from models.webhooks.webhooks import EVENTS, GAMIFYHOST, REDEEMED, Webhook

TODAY = date(2030, 1, 1)
URL = "https://shop.example/hooks"


def hook(*events: str, environment: int = visibility.LIVE, **fields: Any) -> Webhook:
    """Make a webhook, whose secret is not sealed here."""
    number = Webhook.select().count()
    wanted = events or EVENTS
    return webhooks.add(f"{URL}/{number}", wanted, "sealed", environment, **fields)


def told() -> list[tuple[str, dict[str, Any]]]:
    """Return the kinds and the data of all events."""
    return [(each.kind, each.data) for each in WebhookEvent.select().order_by(WebhookEvent.id)]


def kinds() -> list[str]:
    return [kind for kind, _ in told()]


@pytest.fixture
def anybody(store: Settings) -> Webhook:
    """Make a webhook that wants everything of the LIVE environment."""
    return hook()


def test_nothing_is_written_for_nobody(store: Settings) -> None:
    batch_life.make("Batch", Terms.of(), 2)
    hook(environment=visibility.TEST)
    hook("campaign.ended")
    batch_life.make("Other", Terms.of(), 2)
    assert told() == []


def test_a_batch_is_created_ready_and_archived(anybody: Webhook) -> None:
    batch = batch_life.make("Batch", Terms.of(), 3)
    batch_life.grow(batch.id, 2, TODAY)
    batch_life.edit(batch.id, TODAY, live=False)
    batch_life.edit(batch.id, TODAY, name="Other")
    batch_deletion.delete(batch.id)
    found = told()
    assert [(kind, data["codes"]) for kind, data in found] == [
        ("batch.created", 3),
        ("batch.ready", 3),
        ("batch.ready", 5),
        ("batch.archived", 5),
        ("batch.archived", 5),
    ]
    assert [data.get("how") for _, data in found[3:]] == ["archived", "deleted"]
    assert found[0][1]["batch_name"] == "Batch"
    assert WebhookDelivery.select().where(WebhookDelivery.webhook_id == anybody.id).count() == 5


def test_a_large_batch_is_ready_when_a_worker_has_made_it(anybody: Webhook) -> None:
    batch = batch_jobs.add("Large", Terms.of(), 30)
    assert kinds() == ["batch.created"]
    waiting = batch_jobs.next_unfinished()
    assert waiting is not None
    batch_jobs.work(waiting, chunk=7)
    assert kinds() == ["batch.created", "batch.ready"]
    campaign = campaigns.add(Owner(), "promo", "Promo")
    jobs.work(jobs.add(campaign, 20, Plan(5)), chunk=8)
    assert kinds()[2:] == ["batch.created", "batch.ready"]
    created = told()[2][1]
    assert (created["batch_id"], created["campaign_slug"]) == (batch.id + 1, "promo")


def test_own_codes_make_a_batch_ready(anybody: Webhook) -> None:
    batch = batch_life.make("Batch", Terms.of(), 1)
    with change():
        bring = OwnCodeImport(TODAY, batch.id)
        bring.put({1: OwnCode("OWN", visibility.LIVE, True, batch.terms_id)})
        bring.settle()
    assert [data["codes"] for kind, data in told() if kind == "batch.ready"] == [1, 2]
    campaign = campaigns.add(Owner(), "promo", "Promo")
    campaign_making.import_codes(campaign, ["WELCOME-1", "WELCOME-2"], Plan(5), False)
    assert [(kind, data["codes"]) for kind, data in told()][-2:] == [
        ("batch.created", 2),
        ("batch.ready", 2),
    ]


def test_a_use_and_its_release_are_told_once(anybody: Webhook) -> None:
    coupons.add("CODE", Terms.of(value=10, coupon_type="invoice"))
    use = Use(today=TODAY, places=2, client_id=7, invoice_id=5)
    redemption, made = redemptions.redeem(coupons.by_code("CODE"), use)
    assert made
    again, made = redemptions.redeem(coupons.by_code("CODE"), use)
    assert (again.id, made) == (redemption.id, False)
    releases.release(redemption.id, TODAY)
    releases.release(redemption.id, TODAY)
    (first, used), (last, released) = told()
    assert (first, last) == ("code.redeemed", "code.released")
    assert (used["code"], used["client_id"], used["invoice_id"]) == ("CODE", 7, 5)
    assert used["redemption_id"] == released["redemption_id"] == redemption.id
    assert (used["released_at"], used["points"], used["batch_id"]) == (None, None, None)
    assert released["released_at"] >= used["redeemed_at"]


def test_the_use_of_a_campaign_tells_the_points(anybody: Webhook) -> None:
    campaign = campaigns.add(Owner(), "promo", "Promo")
    _, codes = campaign_making.generate(campaign, 2, Plan(5))
    for code in codes:
        campaign_codes.redeem(Owner(), "promo", "anna", code, TODAY)
    data = told()[-1][1]
    assert (data["user_id"], data["points"], data["total_points"]) == ("anna", 5, 10)
    assert data["campaign_uuid"] == campaign.uuid
    campaign_codes.roll_back(Owner(), "promo", data["redemption_uuid"], TODAY)
    assert told()[-1][1]["total_points"] == 5


def test_a_change_that_is_undone_tells_nothing(anybody: Webhook) -> None:
    with change() as transaction:
        batch_life.make("Batch", Terms.of(), 2)
        assert len(told()) == 2
        transaction.rollback()
    assert told() == []


def test_what_is_refused_tells_nothing(anybody: Webhook) -> None:
    coupons.add("CODE", Terms.of(max_usage=1, coupon_type="invoice"))
    redemptions.redeem(coupons.by_code("CODE"), Use(today=TODAY, places=2, invoice_id=1))
    for invoice_id in (2, 3):
        with pytest.raises(redemptions.Refused):
            redemptions.redeem(
                coupons.by_code("CODE"), Use(today=TODAY, places=2, invoice_id=invoice_id)
            )
    assert kinds() == ["code.redeemed"]


def _stopped(coupon: Coupon) -> None:
    coupon_life.edit(coupon.id, TODAY, active=False)


def _archived(coupon: Coupon) -> None:
    coupon_life.edit(coupon.id, TODAY, live=False)


def _deleted(coupon: Coupon) -> None:
    coupon_life.delete(coupon.id)


@pytest.mark.parametrize(
    ("how", "deed"), [("stopped", _stopped), ("archived", _archived), ("deleted", _deleted)]
)
def test_a_code_of_the_legacy_api_is_revoked(
    anybody: Webhook, how: str, deed: Callable[[Coupon], None]
) -> None:
    coupons.add("CODE", Terms.of())
    coupon = coupons.by_code("CODE")
    coupon_life.edit(coupon.id, TODAY, code="OTHER")  # it can be used as before
    deed(coupon)
    [(kind, data)] = told()
    assert (kind, data["code"], data["how"], data["codes"]) == ("code.revoked", "OTHER", how, 1)


def test_a_code_that_is_stopped_already_is_not_revoked_again(anybody: Webhook) -> None:
    coupons.add("CODE", Terms.of())
    coupon = coupons.by_code("CODE")
    _stopped(coupon)
    _stopped(coupon)
    assert kinds() == ["code.revoked"]


def test_codes_of_a_campaign_are_revoked_one_by_one_and_by_their_count(anybody: Webhook) -> None:
    campaign = campaigns.add(Owner(), "promo", "Promo")
    batch, codes = campaign_making.generate(campaign, 4, Plan(5))
    revocations.revoke(Owner(), codes[0])
    revocations.revoke_batch(CampaignBatch.get_by_id(batch.batch_id))
    revocations.reactivate_batch(CampaignBatch.get_by_id(batch.batch_id))
    found = [data for kind, data in told() if kind == "code.revoked"]
    assert [(data["code"], data["codes"]) for data in found] == [(codes[0], 1), (None, 3)]
    assert [data["batch_uuid"] for data in found] == [batch.uuid] * 2


def test_a_pasted_list_is_one_event_for_each_batch(store: Settings) -> None:
    everything, partners = hook(), hook(partner="acme")
    batch_life.make("Batch", Terms.of(), 3)
    theirs = campaigns.add(Owner(partner="acme"), "promo", "Promo")
    batch, _ = campaign_making.generate(theirs, 2, Plan(5))
    WebhookEvent.delete().execute()
    bulk_stops.stop([coupon.id for coupon in Coupon.select()])
    found = told()
    assert [(kind, data["codes"], data["how"]) for kind, data in found] == [
        ("code.revoked", 3, "stopped"),
        ("code.revoked", 2, "stopped"),
    ]
    events = {event.id: event for event in WebhookEvent.select()}
    sent = [
        (each.webhook_id, events[each.event_id].data["batch_uuid"])
        for each in WebhookDelivery.select().order_by(WebhookDelivery.id)
        if each.event_id in events
    ]
    assert sent == [(everything.id, None), (everything.id, batch.uuid), (partners.id, batch.uuid)]


def test_partners_and_environments_hear_of_their_own_alone(store: Settings) -> None:
    ours, theirs, tests = (
        hook(partner=""),
        hook(partner="acme"),
        hook(environment=visibility.TEST),
    )
    for owner in (Owner(), Owner(partner="acme"), Owner(visibility.TEST)):
        campaign_making.generate(campaigns.add(owner, "promo", "Promo"), 1, Plan(5))
    coupons.add("CODE", Terms.of())
    coupon_life.delete(coupons.by_code("CODE").id)
    counts = {
        each.id: WebhookDelivery.select().where(WebhookDelivery.webhook_id == each.id).count()
        for each in (ours, theirs, tests)
    }
    assert counts == {ours.id: 2, theirs.id: 2, tests.id: 2}


def test_gamifyhosts_form_is_told_of_points_alone(store: Settings) -> None:
    vendors = hook(REDEEMED, format=GAMIFYHOST)
    coupons.add("CODE", Terms.of(coupon_type="invoice"))
    redemptions.redeem(coupons.by_code("CODE"), Use(today=TODAY, places=2, invoice_id=1))
    assert told() == []
    campaign = campaigns.add(Owner(), "promo", "Promo")
    _, [code] = campaign_making.generate(campaign, 1, Plan(5))
    campaign_codes.redeem(Owner(), "promo", "anna", code, TODAY)
    assert [each.webhook_id for each in WebhookDelivery.select()] == [vendors.id]


def test_legacy_codes_expire_once_for_each_batch(anybody: Webhook) -> None:
    last = date(2030, 3, 1)
    Sweep.update(day=last).execute()
    expiring = Terms.of(expires=last)
    batch = batch_life.make("Batch", expiring, 3)
    coupons.add("ALONE", expiring)
    used = Coupon.select().where(Coupon.batch_id == batch.id).get()
    coupon_life.edit(used.id, last, active=False)
    WebhookEvent.delete().execute()
    expiry.expire_due(last)
    assert told() == []
    for _ in range(2):
        expiry.expire_due(last + timedelta(days=1))
    assert [(kind, data["batch_id"], data["codes"]) for kind, data in told()] == [
        ("code.expired", None, 1),
        ("code.expired", batch.id, 2),
    ]


def test_what_ends_by_its_time_is_told_once(
    anybody: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    campaign = campaigns.add(Owner(), "promo", "Promo", ends_at=now + 50)
    batch, codes = campaign_making.generate(campaign, 3, Plan(5, expires_at=now + 20))
    campaign_making.generate(campaign, 1, Plan(5, expires_at=now + 9_999_999))
    campaign_codes.redeem(Owner(), "promo", "anna", codes[0], TODAY)
    WebhookEvent.delete().execute()
    endings.sweep()
    assert told() == []
    for seconds, expected in ((30, 1), (60, 2), (90, 2)):
        monkeypatch.setattr(clock, "now", lambda later=seconds: now + later)
        endings.sweep()
        assert len(told()) == expected
    (_, expired), (_, ended) = told()
    assert (expired["batch_uuid"], expired["codes"]) == (batch.uuid, 2)
    assert (ended["campaign_slug"], ended["ended_at"]) == ("promo", now + 50)
    # Whoever closes it now tells nothing new.
    campaigns.edit(Owner(), "promo", status="ended")
    assert len(told()) == 2


def test_a_campaign_that_is_ended_is_told_with_the_change(anybody: Webhook) -> None:
    campaigns.add(Owner(), "promo", "Promo")
    campaigns.edit(Owner(), "promo", name="Other")
    campaigns.edit(Owner(), "promo", status="ended")
    campaigns.edit(Owner(), "promo", name="Third")
    endings.sweep()
    assert kinds() == ["campaign.ended"]


def test_a_disabled_webhook_is_sent_nothing_but_can_ask_later(anybody: Webhook) -> None:
    webhooks.disable(anybody.id)
    batch_life.make("Batch", Terms.of(), 1)
    assert kinds() == ["batch.created", "batch.ready"]
    assert WebhookDelivery.select().count() == 0
