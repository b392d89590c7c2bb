"""Schemas of what each event tells: the `data` of its body."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from app.rest.fields import RestSchema, Timestamp
from models.promotions.code_spelling import masked
from models.webhooks import webhooks


def shown_code(facts: dict[str, Any], full: bool) -> str | None:
    """Return the code of an event, masked unless the webhook is told codes in full."""
    code: str | None = facts.get("code")
    return code if full or code is None else masked(code, facts.get("batch_prefix") or "")


class BatchData(RestSchema):
    """Tell of a batch: `batchId` is its number in legacy calls, `batchUuid` its id under /v1."""

    batch_id = fields.Integer(allow_none=True)
    batch_uuid = fields.String(allow_none=True)
    batch_name = fields.String(allow_none=True)
    campaign_uuid = fields.String(allow_none=True)
    campaign_slug = fields.String(allow_none=True)


class CountedData(BatchData):
    """Tell how many codes a batch has, or was asked for."""

    codes = fields.Integer()


class ArchivedData(CountedData):
    """Tell that a batch was archived, or deleted."""

    how = fields.String()


class RevokedData(CountedData):
    """Tell that codes can no longer be used: one by its code, many by their count.

    `how` is revoked, stopped, archived or deleted.
    """

    coupon_id = fields.Integer(allow_none=True)
    code = fields.String(allow_none=True)
    how = fields.String()


class ExpiredData(CountedData):
    """Tell how many codes of a batch expired unused."""

    expired_at = Timestamp()


class UseData(BatchData):
    """Tell of a use of a code; amounts are texts of digits, what is unknown is null."""

    redemption_id = fields.Integer()
    redemption_uuid = fields.String(allow_none=True)
    coupon_id = fields.Integer()
    code = fields.String()
    client_id = fields.Integer(allow_none=True)
    invoice_id = fields.Integer(allow_none=True)
    order_id = fields.Integer(allow_none=True)
    account_id = fields.Integer(allow_none=True)
    amount = fields.String(allow_none=True)
    discount = fields.String(allow_none=True)
    setup_discount = fields.String(allow_none=True)
    user_id = fields.String(allow_none=True)
    points = fields.Integer(allow_none=True)
    total_points = fields.Integer(allow_none=True)
    redeemed_at = Timestamp()


class ReleasedData(UseData):
    """Tell of a use that was given back."""

    released_at = Timestamp()


class CampaignData(RestSchema):
    """Tell of a campaign that has ended, and of its codes."""

    campaign_uuid = fields.String()
    campaign_slug = fields.String()
    campaign_name = fields.String()
    codes = fields.Integer()
    redeemed = fields.Integer()
    ended_at = Timestamp()


class TestData(RestSchema):
    """Tell that this is a test."""

    message = fields.String()


SCHEMAS: dict[str, RestSchema] = {
    webhooks.REDEEMED: UseData(),
    webhooks.RELEASED: ReleasedData(),
    webhooks.REVOKED: RevokedData(),
    webhooks.EXPIRED: ExpiredData(),
    webhooks.BATCH_CREATED: CountedData(),
    webhooks.BATCH_READY: CountedData(),
    webhooks.BATCH_ARCHIVED: ArchivedData(),
    webhooks.CAMPAIGN_ENDED: CampaignData(),
    webhooks.TEST: TestData(),
}
"""The schema of the data of each event."""
