"""Messages: an event as the signed request that a webhook is sent, in either form."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from standardwebhooks.webhooks import Webhook as Signer

from app.webhooks.event_data import SCHEMAS, shown_code
from models.store import clock, visibility
from models.webhooks import webhooks
from models.webhooks.deliveries import WebhookEvent
from models.webhooks.webhooks import GAMIFYHOST, Webhook

SECONDS = {webhooks.STANDARD: 15.0, GAMIFYHOST: 10.0}
"""How long a request may take in all, by form."""
AGENT = "promobridge-webhooks"
EARNED = "code_redeemed"  # guess: the eventType of points that a code gave, a word of ours


class Message(NamedTuple):
    """Hold the headers and the body of a request, and how long it may take."""

    headers: dict[str, str]
    body: bytes
    seconds: float


def message(webhook: Webhook, event: WebhookEvent, secrets: list[str]) -> Message:
    """Return the request that tells a webhook of an event, signed now with each of the secrets.

    The first secret is the newest. The body is the same at each try.
    """
    now = clock.now()
    common = {"Content-Type": "application/json", "User-Agent": AGENT}
    if webhook.format == GAMIFYHOST:
        name, body = _in_gamifyhosts_form(event)
        digest = hmac.new(secrets[0].encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "X-Webhook-Signature": f"sha256={digest}",
            "X-Webhook-Event": name,
            "X-Webhook-Timestamp": _time_text(now),
        }
    else:
        body = _standard(event, webhook.full_codes)
        moment, text = datetime.fromtimestamp(now, UTC), body.decode()
        signatures = [Signer(each).sign(event.uuid, moment, text) for each in secrets]
        headers = {
            "webhook-id": event.uuid,
            "webhook-timestamp": str(now),
            "webhook-signature": " ".join(signatures),
        }
    return Message(common | headers, body, SECONDS[webhook.format])


def test_event(webhook: Webhook) -> WebhookEvent:
    """Return the event that a webhook is tried with; it is not stored and has no sequence."""
    return WebhookEvent(
        id=0,
        uuid=clock.random_uuid(),
        kind=webhooks.TEST,
        environment=webhook.environment,
        data=webhooks.TOLD,
        at=clock.now(),
    )


def _standard(event: WebhookEvent, full_codes: bool) -> bytes:
    facts = event.data | {"code": shown_code(event.data, full_codes)}
    return _json(
        {
            "type": event.kind,
            "timestamp": _time_text(event.at),
            "sequence": event.id,
            "environment": visibility.environment_name(event.environment),
            "data": SCHEMAS[event.kind].dump(facts),
        }
    )


def _in_gamifyhosts_form(event: WebhookEvent) -> tuple[str, bytes]:
    """Return the vendor's name of an event, and its body (their pages of webhooks and events)."""
    name, data = "points.awarded", dict[str, Any]()
    if event.kind == webhooks.TEST:
        name, data = "test", event.data
    else:
        data = {
            "ledgerId": event.data["redemption_uuid"],
            "userId": event.data["user_id"],
            "eventType": EARNED,
            "pointsAwarded": event.data["points"],
            "userBalance": event.data["total_points"],
            "reference": event.data[
                "campaign_slug"
            ],  # guess: the reference of points that a code gave is the slug of its campaign
            "createdAt": _time_text(event.data["redeemed_at"]),
        }
    at = _time_text(event.at)
    return name, _json({"event": name, "data": data, "timestamp": at})


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _time_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
