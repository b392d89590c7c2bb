"""Schemas of the data in responses: each dumps what the store returns."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from app.rest.envelope import INVALID
from app.rest.fields import RestSchema, Timestamp, UpperCase
from models.campaigns import campaign_codes, campaigns, jobs
from models.store import visibility


class ResponseSchema(RestSchema):
    """Promise every field, and that there may be more."""

    class Meta:
        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Set also that the field is always there."""
        super().on_bind_field(field_name, field_obj)
        field_obj.required = True


class BatchResponse(ResponseSchema):
    """Describe a CampaignBatch."""

    id = fields.UUID(attribute="uuid")
    campaign_id = fields.UUID(attribute="campaign.uuid")
    batch_size = fields.Integer()
    points_value = fields.Integer(attribute="points")
    label = fields.String(allow_none=True)
    expires_at = Timestamp(allow_none=True)
    created_at = Timestamp()


EXAMPLE_CODES = ["SUMM-AX7K9M2P", "SUMM-B3WQ8RTN", "SUMM-YC5Z2HKD"]


class GenerateResponse(ResponseSchema):
    """Answer with a batch and its codes, this once."""

    batch = fields.Nested(BatchResponse)
    codes = fields.List(fields.String(), metadata={"example": EXAMPLE_CODES})
    count = fields.Integer()
    game_url = fields.String()


class RejectedCodeResponse(ResponseSchema):
    """Say why a code was left out; `line` counts from 1."""

    line = fields.Integer()
    code = fields.String()
    reason = fields.String()


class ImportResponse(ResponseSchema):
    """Answer with the batch of codes that were imported."""

    batch = fields.Nested(BatchResponse)
    count = fields.Integer()
    rejected = fields.List(fields.Nested(RejectedCodeResponse))


class VerifyResponse(ResponseSchema):
    """Answer what a CampaignCode is worth; the defaults are for one that is not found."""

    valid = fields.Boolean(dump_default=False)
    status = UpperCase([*campaign_codes.STATUSES, ""], attribute="code.status", dump_default="")
    points_value = fields.Integer(attribute="code.batch.points", dump_default=0)
    campaign_name = fields.String(attribute="code.batch.campaign.name", dump_default="")
    campaign_slug = fields.String(attribute="code.batch.campaign.slug", dump_default="")
    expired = fields.Boolean(attribute="code.batch.campaign.ended", dump_default=False)
    message = fields.String(dump_default="Code not found")


class BatchPageResponse(ResponseSchema):
    """Answer with a page of batches."""

    batches = fields.List(fields.Nested(BatchResponse))
    total = fields.Integer()
    page = fields.Integer()
    limit = fields.Integer()


class StatsResponse(ResponseSchema):
    """Answer how the codes of a campaign stand."""

    total_codes = fields.Integer(attribute="campaign.codes")
    active_codes = fields.Integer()
    redeemed_codes = fields.Integer(attribute="campaign.redeemed")
    expired_codes = fields.Integer()
    revoked_codes = fields.Integer(attribute="campaign.revoked")
    total_batches = fields.Integer(attribute="campaign.batches")


class RedeemResponse(ResponseSchema):
    """Answer what a code earned: a PointsChange."""

    points_earned = fields.Integer(attribute="redemption.points")
    # Only of fields that are not loaded may two have one attribute.
    points_awarded = fields.Integer(attribute="redemption.points", dump_only=True)
    total_points = fields.Integer()
    code = fields.String(attribute="redemption.code")
    status = UpperCase([campaign_codes.REDEEMED])
    message = fields.String(dump_default="Code redeemed successfully")
    redemption_id = fields.UUID(attribute="redemption.uuid")


class RollbackResponse(ResponseSchema):
    """Answer what was taken back: a PointsChange."""

    redemption_id = fields.UUID(attribute="redemption.uuid")
    user_id = fields.String(attribute="redemption.user_id")
    points_rolled_back = fields.Integer(attribute="redemption.points")
    total_points = fields.Integer()
    code = fields.String(attribute="redemption.code")
    status = UpperCase(campaign_codes.STATUSES)
    message = fields.String(dump_default="Redemption rolled back successfully")


class StatusChangeResponse(ResponseSchema):
    """Answer how many codes were revoked or reactivated."""

    count = fields.Integer()
    status = UpperCase(campaign_codes.STATUSES)
    message = fields.String()


class CodeResponse(ResponseSchema):
    """Describe a ListedCode: masked, and who redeemed it."""

    code = fields.String(attribute="masked", metadata={"example": "SUMM-******2P"})
    batch_id = fields.UUID(attribute="batch.uuid")
    status = UpperCase(campaign_codes.STATUSES)
    points_value = fields.Integer(attribute="batch.points")
    expires_at = Timestamp(attribute="batch.expires_at", allow_none=True)
    redeemed_by = fields.String(attribute="user_id", allow_none=True)
    redeemed_at = Timestamp(attribute="redemption.redeemed_at", dump_default=None, allow_none=True)
    redemption_id = fields.UUID(attribute="redemption.uuid", dump_default=None, allow_none=True)


class CodePageResponse(ResponseSchema):
    """Answer with a page of codes and the cursor of the next one."""

    codes = fields.List(fields.Nested(CodeResponse))
    next_cursor = fields.String(allow_none=True)
    limit = fields.Integer()


class CampaignResponse(ResponseSchema):
    """Describe a Campaign."""

    id = fields.UUID(attribute="uuid")
    slug = fields.String()
    name = fields.String()
    status = UpperCase(campaigns.STATUSES)
    environment = fields.Function(
        lambda campaign: visibility.environment_name(campaign.environment),
        metadata={"type": "string", "enum": ["LIVE", "TEST"]},
    )
    starts_at = Timestamp(allow_none=True)
    ends_at = Timestamp(allow_none=True)
    created_at = Timestamp()


class CampaignPageResponse(ResponseSchema):
    """Answer with a page of campaigns and the cursor of the next one."""

    campaigns = fields.List(fields.Nested(CampaignResponse))
    next_cursor = fields.String(allow_none=True, metadata={"example": "summer-promo"})
    limit = fields.Integer()


class EntryResponse(ResponseSchema):
    """Describe a Standing on a leaderboard; equal points share a rank."""

    rank = fields.Integer()
    user_id = fields.String(attribute="player.user_id")
    display_name = fields.String(attribute="player.display_name", allow_none=True)
    total_points = fields.Integer(attribute="player.points")
    events_count = fields.Integer(attribute="player.events")


class LeaderboardResponse(ResponseSchema):
    """Answer with the players who have the most points."""

    entries = fields.List(fields.Nested(EntryResponse))
    total_participants = fields.Integer()


class ParticipantResponse(EntryResponse):
    """Describe a Standing."""

    joined_at = Timestamp(attribute="player.joined_at")


class LookupResponse(ResponseSchema):
    """Answer what is known of a code: a ListedCode in full; of an unused one the last are null."""

    code = fields.String(attribute="coupon.code")
    status = UpperCase(campaign_codes.STATUSES)
    points_value = fields.Integer(attribute="batch.points")
    batch = fields.Nested(BatchResponse)
    campaign = fields.Nested(CampaignResponse, attribute="batch.campaign")
    redeemed_by = fields.String(attribute="user_id", allow_none=True)
    redeemed_at = Timestamp(attribute="redemption.redeemed_at", dump_default=None, allow_none=True)
    redemption_id = fields.UUID(attribute="redemption.uuid", dump_default=None, allow_none=True)


class JobResponse(ResponseSchema):
    """Describe a Job; `created` of the `requested` codes have been made."""

    id = fields.UUID(attribute="uuid")
    status = UpperCase(jobs.STATUSES)
    requested = fields.Integer()
    created = fields.Integer()
    error = fields.String(allow_none=True)
    batch = fields.Nested(BatchResponse)
    created_at = Timestamp()
    updated_at = Timestamp()


class ErrorResponse(Schema):
    """Describe every error response."""

    class Meta:
        unknown = EXCLUDE

    message = fields.String(required=True, metadata={"example": INVALID})
    code = fields.Integer(required=True, metadata={"example": 400})
    status = fields.String(required=True, validate=validate.OneOf(["error"]))
    error = fields.String(required=True, metadata={"description": "A stable key for programs."})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "description": "What is wrong, by field; of wrong fields the first 100, and under "
            "`body` how many more there are."
        },
    )
