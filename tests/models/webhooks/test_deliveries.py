"""Deliveries: when the next try is, when a webhook is given up, what is sent again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.config import Settings
from models.promotions import batch_life
from models.promotions.terms import Terms
from models.store import clock, visibility
from models.store.errors import Conflict, Invalid, NotFound, OverQuota
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import (
    DELIVERED,
    FAILED,
    WAITING,
    Try,
    WebhookDelivery,
    WebhookEvent,
)
from models.webhooks.webhooks import BATCH_CREATED, GAMIFYHOST, REDEEMED, STANDARD, Webhook, Whose

URL = "https://shop.example/hooks"
START = 1_900_000_000


class Time:
    """Hold the time still, and move it."""

    now = START


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    held = Time()
    monkeypatch.setattr(clock, "now", lambda: held.now)
    return held


@pytest.fixture
def hook(store: Settings, time: Time) -> Webhook:
    return webhooks.add(URL, [BATCH_CREATED], "sealed", visibility.LIVE)


def happen() -> WebhookEvent:
    """Let something happen, and return its event."""
    batch_life.make("Batch", Terms.of(), 1)
    return WebhookEvent.select().order_by(WebhookEvent.id.desc()).get()


def the_only() -> WebhookDelivery:
    return WebhookDelivery.select().get()


def fail(
    status: int | None = 500, retry_after: float | None = None, form: str = STANDARD
) -> list[str]:
    """Let a try of the only delivery fail."""
    return deliveries.settle([Try(the_only(), form, status, "answered it", retry_after, 0.25)])


@pytest.mark.parametrize(
    ("form", "delays"),
    [
        (STANDARD, [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]),
        (GAMIFYHOST, [180] * 5),
    ],
)
def test_a_delivery_is_tried_by_the_schedule_and_then_kept_as_failed(
    hook: Webhook, time: Time, form: str, delays: list[int]
) -> None:
    happen()
    time.now = START
    for number, delay in enumerate(delays, 1):
        # Not disabled for having failed for days: that is another promise.
        Webhook.update(failing_since=None).execute()
        fail(form=form)
        delivery = the_only()
        assert (delivery.state, delivery.tries) == (WAITING, number)
        assert delay <= delivery.due_at - time.now <= delay * 1.1 + 1
        assert deliveries.webhooks_due() == []
        time.now = delivery.due_at
        assert deliveries.webhooks_due() == [hook.id]
    Webhook.update(failing_since=None).execute()
    fail(form=form)
    delivery = the_only()
    assert (delivery.state, delivery.tries) == (FAILED, len(delays) + 1)
    assert len(delivery.told) == len(delays) + 1
    assert delivery.told[-1] == {"at": time.now, "status": 500, "problem": "answered it", "ms": 250}
    time.now += 10**7
    assert deliveries.webhooks_due() == []


def test_delays_differ(hook: Webhook, time: Time) -> None:
    due = set()
    happen()
    for _ in range(40):
        WebhookDelivery.update(tries=3, state=WAITING).execute()
        fail()
        due.add(the_only().due_at)
    assert len(due) > 5


@pytest.mark.parametrize(("asked", "delay"), [(3000.7, 3000), (2.0, 5), (None, 5)])
def test_a_receiver_may_ask_for_more_time_but_not_for_less(
    hook: Webhook, time: Time, asked: float | None, delay: int
) -> None:
    happen()
    fail(503, asked)
    assert delay <= the_only().due_at - time.now <= delay + 1


def test_410_disables_a_webhook(hook: Webhook) -> None:
    happen()
    [sentence] = fail(410)
    assert sentence == f"Webhook {hook.id} is disabled. It answered 410: it wants no more events"
    assert the_only().state == FAILED
    now = webhooks.by_id(hook.id)
    assert (now.enabled, now.disabled_why) == (False, "It answered 410: it wants no more events")


def test_a_webhook_that_fails_for_five_days_is_disabled(hook: Webhook, time: Time) -> None:
    happen()
    fail()
    time.now += webhooks.FAILING_SECONDS - 1
    assert fail() == []
    # One success and it begins anew.
    deliveries.settle([Try(the_only(), STANDARD, 200, "", None, 0.1)])
    assert webhooks.by_id(hook.id).failing_since is None
    WebhookDelivery.update(state=WAITING, tries=0).execute()
    fail()
    time.now += webhooks.FAILING_SECONDS
    [sentence] = fail()
    assert sentence.endswith("is disabled. It failed for five days")
    assert deliveries.webhooks_due() == []
    assert webhooks.enable(hook.id).failing_since is None


def test_what_ended_meanwhile_stays_as_it_is(hook: Webhook) -> None:
    happen()
    late = Try(the_only(), STANDARD, 500, "answered 500", None, 0.1)
    deliveries.settle([Try(the_only(), STANDARD, 200, "", None, 0.1)])
    deliveries.settle([late])
    assert the_only().state == DELIVERED


def test_resend_sends_what_was_not_received(hook: Webhook, time: Time) -> None:
    happen()
    deliveries.settle([Try(the_only(), STANDARD, 200, "", None, 0.1)])
    time.now += 100
    webhooks.disable(hook.id)
    missed = happen()
    webhooks.enable(hook.id)
    assert deliveries.webhooks_due() == []
    assert deliveries.resend(hook, START) == 1
    [due] = deliveries.due(hook.id, 10)
    assert due.event.id == missed.id
    assert deliveries.resend(hook, START, everything=True) == 2
    assert len(deliveries.due(hook.id, 10)) == 2
    assert deliveries.resend(hook, time.now + 1, everything=True) == 0


def test_resend_sends_one_event(hook: Webhook, time: Time) -> None:
    event = happen()
    for _ in range(20):
        fail()
        if the_only().state == FAILED:
            break
    deliveries.resend_one(hook, event.uuid.upper())
    assert (the_only().state, the_only().tries) == (WAITING, 0)
    assert deliveries.webhooks_due() == [hook.id]
    with pytest.raises(NotFound):
        deliveries.resend_one(hook, clock.random_uuid())


def test_events_of_before_a_webhook_are_not_sent_to_it(hook: Webhook, time: Time) -> None:
    event = happen()
    time.now += 100
    later = webhooks.add(f"{URL}/2", [BATCH_CREATED], "sealed", visibility.LIVE)
    assert deliveries.resend(later, 0, everything=True) == 0
    other = webhooks.add(f"{URL}/3", [REDEEMED], "sealed", visibility.LIVE)
    with pytest.raises(NotFound):
        deliveries.resend_one(other, event.uuid)


def test_pages_of_deliveries(hook: Webhook, time: Time) -> None:
    events = [happen().id for _ in range(5)]
    pages = []
    before = None
    while found := deliveries.page(hook.id, before, 2):
        pages.append([due.event.id for due in found])
        before = found[-1].event.id
    assert pages == [events[4:2:-1], events[2:0:-1], events[:1]]
    assert deliveries.page(hook.id, None, 9, DELIVERED) == []


def test_two_processes_do_not_hold_one_webhook(hook: Webhook, time: Time) -> None:
    assert [each.id for each in webhooks.hold([hook.id], "first")] == [hook.id]
    assert webhooks.hold([hook.id], "second") == []
    time.now += webhooks.HOLD_SECONDS
    assert [each.id for each in webhooks.hold([hook.id], "second")] == [hook.id]
    assert webhooks.hold([hook.id], "first") == []
    webhooks.let_go("first")
    assert webhooks.hold([hook.id], "first") == []
    webhooks.let_go("second")
    assert [each.id for each in webhooks.hold([hook.id], "first")] == [hook.id]
    time.now -= 3600  # a clock that was set back holds nothing for ever
    assert [each.id for each in webhooks.hold([hook.id], "second")] == [hook.id]


def test_a_removed_webhook_leaves_nothing_on_its_way(hook: Webhook) -> None:
    happen()
    deliveries.remove(hook.id)
    assert WebhookDelivery.select().count() == 0
    assert happen().id == 1  # nobody wanted the second
    for deed in (deliveries.remove, webhooks.disable, webhooks.enable):
        with pytest.raises(NotFound):
            deed(hook.id)


def test_secrets_change_once_a_day(hook: Webhook, time: Time) -> None:
    now = webhooks.rotate(hook.id, "second")
    assert (now.secret, now.old_secret) == ("second", "sealed")
    time.now += webhooks.KEPT_SECRET_SECONDS - 1
    with pytest.raises(Conflict):
        webhooks.rotate(hook.id, "third")
    time.now += 1
    assert webhooks.rotate(hook.id, "third").old_secret == "second"


def test_a_webhook_wants_known_events_and_an_address_of_its_own(hook: Webhook) -> None:
    for events in ([], ["code.used"], [BATCH_CREATED, "x"]):
        with pytest.raises(Invalid):
            webhooks.add(f"{URL}/2", events, "sealed", visibility.LIVE)
    with pytest.raises(Invalid):
        webhooks.add(f"{URL}/2", [BATCH_CREATED], "sealed", visibility.LIVE, format=GAMIFYHOST)
    with pytest.raises(Conflict):
        webhooks.add(URL, [REDEEMED], "sealed", visibility.LIVE)
    webhooks.add(URL, [REDEEMED], "sealed", visibility.LIVE, "acme")
    assert len(webhooks.listed()) == 2
    assert len(webhooks.listed(Whose(visibility.LIVE, "acme"))) == 1


def test_there_is_a_most_of_webhooks(hook: Webhook) -> None:
    for number in range(webhooks.MOST_OF_OWNER):
        webhooks.add(f"{URL}/{number}", [REDEEMED], "sealed", visibility.LIVE, "acme")
    with pytest.raises(OverQuota):
        webhooks.add(f"{URL}/last", [REDEEMED], "sealed", visibility.LIVE, "acme")
    assert webhooks.count() == 1 + webhooks.MOST_OF_OWNER


def test_what_was_kept_for_long_is_deleted(hook: Webhook, time: Time) -> None:
    happen()
    time.now += 100
    last = happen()
    assert deliveries.prune(START + 50) == 1
    assert [each.id for each in WebhookEvent.select()] == [last.id]
    assert [each.event_id for each in WebhookDelivery.select()] == [last.id]
