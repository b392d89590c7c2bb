"""Routes of webhooks, of the environment and the partner of the secret."""

from __future__ import annotations

from typing import Any

from flask import current_app

from app.rest.authentication import current_caller
from app.rest.blueprint import RestBlueprint
from app.rest.requests import EmptyRequest
from app.rest.webhook_schemas import (
    DeliveryPageQuery,
    DeliveryPageResponse,
    DeliveryResponse,
    ResendRequest,
    ResentResponse,
    SecretResponse,
    WebhookRequest,
    WebhookResponse,
    WebhooksResponse,
)
from app.webhooks import outgoing, secrets
from app.webhooks.secrets import Seal
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import Due
from models.webhooks.webhooks import STANDARD, Webhook, Whose

NO_WEBHOOK = {404: "Webhook not found"}
ADDRESS = "/webhooks/<webhookId>"
BY_USER = "It was disabled through the API"
blueprint = RestBlueprint("webhooks")


@blueprint.post("/webhooks")
@blueprint.operation("webhooks_add", {409: "There is a webhook with this URL already"})
@blueprint.arguments(WebhookRequest)
@blueprint.response(200, SecretResponse)
def add(
    url: str, events: list[str], format: str = STANDARD, full_codes: bool = False
) -> dict[str, Any]:
    """Make a webhook and show its secret, this once.

    It takes no Idempotency-Key, under which the secret would be kept: a URL is taken once, and
    `rotate` gives a secret whose answer was lost anew.
    """
    outgoing.check_url(url, [])
    secret = secrets.new()
    whose = _whose()
    made = webhooks.add(
        url,
        events,
        _sealed(secret),
        whose.environment or 0,
        whose.partner,
        format=format,
        full_codes=full_codes,
    )
    return {"webhook": made, "secret": secret}


@blueprint.get("/webhooks")
@blueprint.operation("webhooks_list")
@blueprint.arguments(EmptyRequest, location="query")
@blueprint.response(200, WebhooksResponse)
def list_() -> dict[str, Any]:
    """List the webhooks."""
    return {"webhooks": webhooks.listed(_whose())}


@blueprint.get(ADDRESS)
@blueprint.operation("webhooks_show", NO_WEBHOOK)
@blueprint.arguments(EmptyRequest, location="query")
@blueprint.response(200, WebhookResponse)
def show(webhookId: str) -> Webhook:
    """Show a webhook."""
    return _known(webhookId)


@blueprint.delete(ADDRESS)
@blueprint.operation("webhooks_remove", NO_WEBHOOK)
@blueprint.arguments(EmptyRequest, location="query")
@blueprint.response(200, WebhookResponse)
def remove(webhookId: str) -> Webhook:
    """Delete a webhook, and with it what is on its way."""
    return deliveries.remove(_known(webhookId).id)


@blueprint.post(f"{ADDRESS}/rotate")
@blueprint.operation(
    "webhooks_rotate", NO_WEBHOOK | {409: "The secret was changed less than a day ago"}
)
@blueprint.arguments(EmptyRequest)
@blueprint.response(200, SecretResponse)
def rotate(webhookId: str) -> dict[str, Any]:
    """Give a webhook another secret, shown this once; for a day the old one signs too."""
    secret = secrets.new()
    return {"webhook": webhooks.rotate(_known(webhookId).id, _sealed(secret)), "secret": secret}


@blueprint.post(f"{ADDRESS}/disable")
@blueprint.operation("webhooks_disable", NO_WEBHOOK)
@blueprint.arguments(EmptyRequest)
@blueprint.response(200, WebhookResponse)
def disable(webhookId: str) -> Webhook:
    """Send nothing to a webhook until it is enabled."""
    return webhooks.disable(_known(webhookId).id, BY_USER)


@blueprint.post(f"{ADDRESS}/enable")
@blueprint.operation("webhooks_enable", NO_WEBHOOK)
@blueprint.arguments(EmptyRequest)
@blueprint.response(200, WebhookResponse)
def enable(webhookId: str) -> Webhook:
    """Send to a webhook again."""
    return webhooks.enable(_known(webhookId).id)


@blueprint.post(f"{ADDRESS}/test")
@blueprint.operation("webhooks_test", NO_WEBHOOK)
@blueprint.arguments(EmptyRequest)
@blueprint.response(200, DeliveryResponse)
def test(webhookId: str) -> Due:
    """Send a test to a webhook; its deliveries show how it went."""
    return deliveries.send_test(_known(webhookId))


@blueprint.get(f"{ADDRESS}/deliveries")
@blueprint.operation("webhooks_list_deliveries", NO_WEBHOOK)
@blueprint.arguments(DeliveryPageQuery, location="query")
@blueprint.response(200, DeliveryPageResponse)
def list_deliveries(
    webhookId: str, limit: int, cursor: int | None = None, state: str = ""
) -> dict[str, Any]:
    """List what was sent to a webhook in the last 30 days, the newest event first."""
    found = deliveries.page(_known(webhookId).id, cursor, limit, state.lower())
    following = found[-1].event.id if len(found) == limit else None
    return {"deliveries": found, "next_cursor": following, "limit": limit}


@blueprint.post(f"{ADDRESS}/resend")
@blueprint.operation(
    "webhooks_resend", {404: "Webhook not found; There is no such event for this webhook"}
)
@blueprint.arguments(ResendRequest, example={"since": "2030-12-01T00:00:00Z"})
@blueprint.idempotent()
@blueprint.response(200, ResentResponse)
def resend(
    webhookId: str,
    since: int | None = None,
    everything: bool = False,
    event_id: str | None = None,
) -> dict[str, int]:
    """Send one event again, or all that were not received since a moment, 10,000 at most."""
    webhook = _known(webhookId)
    if event_id is not None:
        deliveries.resend_one(webhook, event_id)
        return {"resent": 1}
    return {"resent": deliveries.resend(webhook, since or 0, everything)}


def _whose() -> Whose:
    owner = current_caller.owner
    return Whose(owner.environment, owner.partner)


def _known(uuid: str) -> Webhook:
    return webhooks.by_uuid(_whose(), uuid)


def _sealed(secret: str) -> str:
    return Seal(current_app.config["SETTINGS"]).sealed(secret)
