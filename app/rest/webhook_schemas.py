"""Schemas of webhooks: what is asked, and what is answered."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.rest.fields import (
    PatternString,
    QueryInteger,
    SizedList,
    StrictBoolean,
    Timestamp,
    UpperCase,
)
from app.rest.requests import LIMIT_MOST, RequestSchema, uuid_field
from app.rest.responses import ResponseSchema
from models.webhooks import deliveries, webhooks

HOOK: dict[str, Any] = {"example": "https://shop.example/hooks"}
NAMES: dict[str, Any] = {"example": ["code.redeemed", "code.released"]}


class WebhookRequest(RequestSchema):
    """Describe a new webhook."""

    url = PatternString(webhooks.URL_LENGTH, required=True, metadata=HOOK)
    events = SizedList(
        fields.String(validate=validate.OneOf(webhooks.EVENTS)),
        1,
        len(webhooks.EVENTS),
        required=True,
        metadata=NAMES,
    )
    format = fields.String(
        validate=validate.OneOf(webhooks.FORMATS), metadata={"example": webhooks.STANDARD}
    )
    full_codes = StrictBoolean(
        metadata={"example": False, "description": "Tell codes in full, not masked."}
    )


class ResendRequest(RequestSchema):
    """Name one event, or all that were not received since a moment."""

    since = Timestamp(metadata={"example": "2030-12-01T00:00:00Z"})
    everything = StrictBoolean(
        metadata={"example": False, "description": "With `since`: also what was received."}
    )
    event_id = uuid_field()

    @validates_schema
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if ("since" in data) == ("event_id" in data):
            raise ValidationError("Give either since or eventId.", "since")


class DeliveryPageQuery(RequestSchema):
    """Ask for a page of deliveries."""

    state = UpperCase(deliveries.STATES)
    cursor = QueryInteger(1, metadata={"example": 4711})
    limit = QueryInteger(1, LIMIT_MOST, load_default=20)


class WebhookResponse(ResponseSchema):
    """Describe a Webhook."""

    id = fields.UUID(attribute="uuid")
    url = fields.String(metadata=HOOK)
    events = fields.List(fields.String(), metadata=NAMES)
    format = fields.String(validate=validate.OneOf(webhooks.FORMATS))
    full_codes = fields.Boolean()
    enabled = fields.Boolean()
    disabled_why = fields.String(
        metadata={"description": "Why nothing is sent; empty for an enabled one."}
    )
    failing_since = Timestamp(allow_none=True)
    created_at = Timestamp()


class SecretResponse(ResponseSchema):
    """Answer with a webhook and its secret, this once."""

    webhook = fields.Nested(WebhookResponse)
    secret = fields.String(metadata={"example": "whsec_…"})


class WebhooksResponse(ResponseSchema):
    """Answer with all webhooks of an environment and a partner."""

    webhooks = fields.List(fields.Nested(WebhookResponse))


class TryResponse(ResponseSchema):
    """Describe one request to a webhook; `ms` is how long it took."""

    at = Timestamp()
    status = fields.Integer(allow_none=True)
    problem = fields.String()
    ms = fields.Integer()


class DeliveryResponse(ResponseSchema):
    """Describe a Due: an event on its way to a webhook; `nextTryAt` is null once it has ended."""

    event_id = fields.UUID(attribute="event.uuid")
    event = fields.String(attribute="event.kind", metadata={"example": "code.redeemed"})
    sequence = fields.Integer(attribute="event.id")
    state = UpperCase(deliveries.STATES, attribute="delivery.state")
    created_at = Timestamp(attribute="event.at")
    next_try_at = Timestamp(attribute="delivery.next_try_at", allow_none=True)
    tries = fields.List(fields.Nested(TryResponse), attribute="delivery.told")


class DeliveryPageResponse(ResponseSchema):
    """Answer with a page of deliveries, the newest event first."""

    deliveries = fields.List(fields.Nested(DeliveryResponse))
    next_cursor = fields.Integer(allow_none=True, metadata={"example": 4711})
    limit = fields.Integer()


class ResentResponse(ResponseSchema):
    """Answer how many events are sent again."""

    resent = fields.Integer()
