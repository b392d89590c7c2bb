"""Write events in the transactions of the changes that they tell of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from models.store import clock, visibility
from models.store.prepared import Prepared
from models.webhooks.deliveries import WebhookDelivery, WebhookEvent
from models.webhooks.webhooks import GAMIFYHOST, Webhook


class Facts(NamedTuple):
    """Hold the partner whose campaign an event is about, None for none, and its data."""

    partner: str | None
    data: dict[str, Any]


class _Wanting(NamedTuple):
    id: int
    partner: str | None
    enabled: bool
    format: str

    def hears(self, facts: Facts) -> bool:
        """Tell whether an event is for it: of its partner, and in its form at all."""
        of_points = facts.data.get("points") is not None
        return self.partner in (None, facts.partner) and (of_points or self.format != GAMIFYHOST)


def tell(kind: str, realm: int, facts: Callable[[], Facts], once: str | None = None) -> None:
    """Write an event, if a webhook wants it, in the transaction of the change that it tells of.

    `facts` is asked only then. An event with the same `once` is written once.
    """
    wanting = _wanting(kind, realm)
    if not wanting:
        return
    told_of = facts()
    told = [each for each in wanting if each.hears(told_of)]
    now = clock.now()
    event = WebhookEvent(
        uuid=clock.random_uuid(),
        kind=kind,
        environment=visibility.environment(realm),
        partner=told_of.partner,
        data=told_of.data,
        once=once,
        at=now,
    )
    if not told or not _written(event):
        return
    rows = [
        {"webhook_id": each.id, "event_id": event.id, "due_at": now, "log": [], "created_at": now}
        for each in told
        if each.enabled
    ]
    if rows:
        WebhookDelivery.insert_many(rows).execute()


def is_wanted(kind: str, realm: int) -> bool:
    """Tell whether a webhook wants events of a kind about codes of a realm."""
    return bool(_wanting(kind, realm))


def _wanting(kind: str, realm: int) -> list[_Wanting]:
    return [
        _Wanting(row_id, partner, bool(enabled), form)
        for row_id, environment, partner, enabled, form, kinds in _all.rows()
        if f'"{kind}"' in kinds and environment == visibility.environment(realm)
    ]


def _written(event: WebhookEvent) -> bool:
    """Insert an event; tell whether it was not there by its `once`."""
    if event.once is None:
        event.save(force_insert=True)
        return True
    values = {name: value for name, value in event.__data__.items() if name != "id"}
    if not WebhookEvent.insert(values).on_conflict_ignore().as_rowcount().execute():
        return False
    event.id = WebhookEvent.get(WebhookEvent.uuid == event.uuid).id
    return True


_all = Prepared(
    lambda: Webhook.select(
        Webhook.id,
        Webhook.environment,
        Webhook.partner,
        Webhook.enabled,
        Webhook.format,
        Webhook.events,
    )
)
