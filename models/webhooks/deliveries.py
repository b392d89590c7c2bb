"""Deliveries: one event for one webhook, tried until it is received or given up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from peewee import BigIntegerField, CharField, IntegerField, fn

from models.store import audit, clock
from models.store.base import JSONText, Row, change, delete_oldest, retried
from models.store.errors import NotFound
from models.webhooks import webhooks
from models.webhooks.webhooks import GAMIFYHOST, Webhook

WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
STATES = (WAITING, DELIVERED, FAILED)
DELAYS = {
    webhooks.STANDARD: (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
    GAMIFYHOST: (180,) * 5,
}
"""Seconds before each further try, by form: the Standard Webhooks specification, GamifyHost."""
JITTER = 10
"""A delay is longer by up to one part in so many, so that what failed at once is not tried so."""
GONE = 410
PRUNED = 1000
RESENT = 10_000
"""Deliveries that one request sends again."""


class WebhookEvent(Row):
    """Keep what happened, for the webhooks that want to know; `id` is its sequence.

    `data` holds the facts under our own names, codes in full. `once` names what must not be told
    twice. Without a partner it is about codes of no campaign. Times are Unix seconds.
    """

    uuid = CharField(max_length=36, unique=True)
    kind = CharField(max_length=32)
    environment = IntegerField()
    partner = CharField(max_length=255, null=True)
    data = JSONText()
    once = CharField(max_length=96, null=True, unique=True)
    at = BigIntegerField()

    class Meta:
        indexes = ((("at", "id"), False),)


class WebhookDelivery(Row):
    """Keep how far an event is on its way to a webhook.

    `log` holds for each try when it was (Unix seconds), the HTTP status, what was wrong and how
    many milliseconds it took. `due_at` is when it is tried next, `ended_at` when it ended.
    """

    webhook_id = IntegerField()
    event_id = IntegerField()
    state = CharField(max_length=16, default=WAITING)
    due_at = BigIntegerField()
    tries = IntegerField(default=0)
    log = JSONText()
    created_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)

    class Meta:
        indexes = (
            (("webhook_id", "event_id"), True),
            (("webhook_id", "state", "due_at", "id"), False),
            (("created_at",), False),
        )

    @property
    def told(self) -> list[dict[str, Any]]:
        """Return the tries of the log, each by the names of what it holds."""
        return [
            dict(zip(("at", "status", "problem", "ms"), each, strict=True)) for each in self.log
        ]

    @property
    def next_try_at(self) -> int | None:
        """Return when it is tried next, None once it has ended."""
        return self.due_at if self.state == WAITING else None


class Due(NamedTuple):
    """Hold a delivery that is to be tried, and its event."""

    delivery: WebhookDelivery
    event: WebhookEvent


class Try(NamedTuple):
    """Hold how a try went: `problem` is "" for one that was received. `retry_after` is seconds."""

    delivery: WebhookDelivery
    format: str
    status: int | None
    problem: str
    retry_after: float | None
    seconds: float


def webhooks_due() -> list[int]:
    """Return the ids of the enabled webhooks that something is to be sent to by now."""
    waiting = WebhookDelivery.select(WebhookDelivery.id).where(
        WebhookDelivery.webhook_id == Webhook.id,
        WebhookDelivery.state == WAITING,
        WebhookDelivery.due_at <= clock.now(),
    )
    query: Any = Webhook.select(Webhook.id).where(Webhook.enabled, fn.EXISTS(waiting))
    return [row_id for (row_id,) in query.tuples()]


def due(webhook_id: int, most: int, without: Sequence[int] = ()) -> list[Due]:
    """Return deliveries of a webhook that are to be tried by now, longest due first."""
    found = list(
        WebhookDelivery.select()
        .where(
            WebhookDelivery.webhook_id == webhook_id,
            WebhookDelivery.state == WAITING,
            WebhookDelivery.due_at <= clock.now(),
        )
        .order_by(WebhookDelivery.due_at, WebhookDelivery.id)
        .limit(most + len(without))
    )
    wanted = [each for each in found if each.id not in without][:most]
    events = {
        event.id: event
        for event in WebhookEvent.select().where(
            WebhookEvent.id.in_([each.event_id for each in wanted])
        )
    }
    # An event may have been deleted as too old a moment before its delivery is.
    return [Due(each, events[each.event_id]) for each in wanted if each.event_id in events]


@retried
def settle(tries: Sequence[Try]) -> list[str]:
    """Keep how tries went, in one transaction; return why webhooks were disabled for them."""
    said: list[str] = []
    with change():
        for each in tries:
            _keep(each)
            webhook_id = each.delivery.webhook_id
            if not each.problem:
                webhooks.note_success(webhook_id)
            elif why := webhooks.note_failure(webhook_id, each.status == GONE):
                said.append(f"Webhook {webhook_id} is disabled. {why}")
    return said


def page(webhook_id: int, before: int | None, limit: int, state: str = "") -> list[Due]:
    """Return deliveries of a webhook, newest event first, of those before a sequence."""
    which = WebhookDelivery.webhook_id == webhook_id
    if before is not None:
        which &= WebhookDelivery.event_id < before
    if state:
        which &= WebhookDelivery.state == state
    query: Any = (
        WebhookDelivery.select(WebhookDelivery, WebhookEvent)
        .join(WebhookEvent, on=(WebhookEvent.id == WebhookDelivery.event_id), attr="event")
        .where(which)
        .order_by(WebhookDelivery.event_id.desc())
        .limit(limit)
    )
    return [Due(each, each.event) for each in query]


@retried
def resend(webhook: Webhook, since: int, everything: bool = False) -> int:
    """Send again what a webhook was not told since a moment, or was; return how many events.

    Those that wait for their next try are due now. What it was never sent, because it was
    disabled, is sent too. RESENT at most, the oldest first.
    """
    now = clock.now()
    which = (WebhookEvent.at >= max(since, webhook.created_at)) & _wanted_by(webhook)
    own = (WebhookDelivery.event_id == WebhookEvent.id) & (WebhookDelivery.webhook_id == webhook.id)
    done = WebhookDelivery.select(WebhookDelivery.id).where(own, WebhookDelivery.state == DELIVERED)
    if not everything:
        which &= ~fn.EXISTS(done)
    query: Any = WebhookEvent.select(WebhookEvent.id).where(which).order_by(WebhookEvent.id)
    ids = [row_id for (row_id,) in query.limit(RESENT).tuples()]
    with change():
        for at in range(0, len(ids), 500):
            _send(webhook, ids[at : at + 500], now)
        _note(webhook, len(ids))
    return len(ids)


@retried
def resend_one(webhook: Webhook, uuid: str) -> None:
    """Send one event to a webhook again, whatever became of it. Raises NotFound."""
    event = WebhookEvent.get_or_none(WebhookEvent.uuid == uuid.lower(), _wanted_by(webhook))
    if event is None:
        raise NotFound("There is no such event for this webhook", "event_not_found")
    with change():
        _send(webhook, [event.id], clock.now())
        _note(webhook, 1)


@retried
def send_test(webhook: Webhook) -> Due:
    """Queue a test for one webhook, as an event that nobody else is told; return it."""
    now = clock.now()
    with change():
        event = WebhookEvent.create(
            uuid=clock.random_uuid(),
            kind=webhooks.TEST,
            environment=webhook.environment,
            partner=webhook.partner,
            data=webhooks.TOLD,
            at=now,
        )
        delivery = WebhookDelivery.create(
            webhook_id=webhook.id, event_id=event.id, due_at=now, log=[], created_at=now
        )
    return Due(delivery, event)


@retried
def remove(webhook_id: int) -> Webhook:
    """Delete a webhook with what is on its way to it. Raises NotFound."""
    with change():
        webhook = webhooks.removed(webhook_id)
        WebhookDelivery.delete().where(WebhookDelivery.webhook_id == webhook_id).execute()
    return webhook


@retried
def prune(before: int) -> int:
    """Delete up to PRUNED events and as many deliveries from before a moment; return the more."""
    with change():
        events = delete_oldest(WebhookEvent, WebhookEvent.at, before, PRUNED)
        sent = delete_oldest(WebhookDelivery, WebhookDelivery.created_at, before, PRUNED)
    return max(events, sent)


def waiting() -> int:
    """Return how many deliveries to enabled webhooks are not ended."""
    enabled = Webhook.select(Webhook.id).where(Webhook.enabled)
    return int(
        WebhookDelivery.select(fn.COUNT(WebhookDelivery.id))
        .where(WebhookDelivery.webhook_id.in_(enabled), WebhookDelivery.state == WAITING)
        .scalar()
    )


def _wanted_by(webhook: Webhook) -> Any:
    which = WebhookEvent.kind.in_(webhook.events)
    which &= WebhookEvent.environment == webhook.environment
    return which if webhook.partner is None else which & (WebhookEvent.partner == webhook.partner)


def _send(webhook: Webhook, event_ids: Sequence[int], now: int) -> None:
    webhook_id = webhook.id
    again = {"state": WAITING, "due_at": now, "tries": 0, "ended_at": None}
    WebhookDelivery.update(again).where(
        WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.event_id.in_(list(event_ids))
    ).execute()
    rows = [
        {"webhook_id": webhook_id, "event_id": each, "due_at": now, "log": [], "created_at": now}
        for each in event_ids
    ]
    if rows:
        WebhookDelivery.insert_many(rows).on_conflict_ignore().execute()


def _note(webhook: Webhook, events: int) -> None:
    url = webhooks.audited_url(webhook.url)
    audit.note("sent again", "webhook", webhook.id, url, after={"events": events})


def _keep(tried: Try) -> None:
    """Keep a try of a delivery, and when the next one is."""
    now = clock.now()
    delivery = tried.delivery
    entry = [now, tried.status, tried.problem[:255], round(tried.seconds * 1000)]
    delays = DELAYS[tried.format]
    fields: dict[str, Any] = {
        "log": [*delivery.log, entry][-2 * len(delays) :],
        "tries": delivery.tries + 1,
    }
    if not tried.problem:
        fields |= {"state": DELIVERED, "ended_at": now}
    elif tried.status == GONE or delivery.tries >= len(delays):
        fields |= {"state": FAILED, "ended_at": now}
    else:
        delay = delays[delivery.tries]
        delay += clock.random_below(delay // JITTER + 1)
        fields["due_at"] = now + max(delay, int(tried.retry_after or 0))
    WebhookDelivery.update(fields).where(
        WebhookDelivery.id == delivery.id, WebhookDelivery.state == WAITING
    ).execute()
