"""Schemas of the data in responses, with an example of each field."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.rest.envelope import INVALID
from app.rest.fields import CamelCaseSchema, Timestamp
from app.rest.samples import BATCH_ID, CAMPAIGN_ID, MOMENT
from models.campaigns import campaign_codes


class BatchResponse(CamelCaseSchema):
    """Describe a batch."""

    id = fields.String(required=True, metadata=BATCH_ID)
    campaign_id = fields.String(required=True, metadata=CAMPAIGN_ID)
    batch_size = fields.Integer(required=True, metadata={"example": 3})
    points_value = fields.Integer(required=True, metadata={"example": 500})
    label = fields.String(
        required=True, allow_none=True, metadata={"example": "In-store promo cards"}
    )
    expires_at = Timestamp(required=True, allow_none=True, metadata=MOMENT)
    created_at = Timestamp(required=True, metadata=MOMENT)


class GenerateResponse(CamelCaseSchema):
    """Answer with a batch and its codes, this once."""

    batch = fields.Nested(BatchResponse, required=True)
    codes = fields.List(
        fields.String(),
        required=True,
        metadata={"example": ["SUMM-AX7K9M2P", "SUMM-BF3D8N4Q", "SUMM-CG5H2R6T"]},
    )
    count = fields.Integer(required=True, metadata={"example": 3})
    game_url = fields.String(
        required=True, metadata={"example": "https://app.gamifyhost.com/campaign/summer-promo"}
    )


class RejectedCodeResponse(CamelCaseSchema):
    """Say why a code was left out; `line` counts from 1."""

    line = fields.Integer(required=True, metadata={"example": 2})
    code = fields.String(required=True, metadata={"example": "WELCOME-2031"})
    reason = fields.String(required=True, metadata={"example": "exists already"})


class ImportResponse(CamelCaseSchema):
    """Answer with the batch of codes that were brought."""

    batch = fields.Nested(BatchResponse, required=True)
    count = fields.Integer(required=True, metadata={"example": 2})
    rejected = fields.List(
        fields.Nested(RejectedCodeResponse), required=True, metadata={"example": []}
    )


class VerifyResponse(CamelCaseSchema):
    """Answer what a code is worth."""

    valid = fields.Boolean(required=True, metadata={"example": True})
    status = fields.String(
        required=True, metadata={"enum": [*campaign_codes.STATUSES, ""], "example": "ACTIVE"}
    )
    points_value = fields.Integer(required=True, metadata={"example": 500})
    campaign_name = fields.String(required=True, metadata={"example": "Summer Promo 2025"})
    campaign_slug = fields.String(required=True, metadata={"example": "summer-promo"})
    expired = fields.Boolean(required=True, metadata={"example": False})
    message = fields.String(required=True, metadata={"example": "Code is valid and redeemable"})


class BatchPageResponse(CamelCaseSchema):
    """Answer with a page of batches."""

    batches = fields.List(fields.Nested(BatchResponse), required=True)
    total = fields.Integer(required=True, metadata={"example": 1})
    page = fields.Integer(required=True, metadata={"example": 1})
    limit = fields.Integer(required=True, metadata={"example": 20})


class StatsResponse(CamelCaseSchema):
    """Answer how the codes of a campaign stand."""

    total_codes = fields.Integer(required=True, metadata={"example": 150})
    active_codes = fields.Integer(required=True, metadata={"example": 120})
    redeemed_codes = fields.Integer(required=True, metadata={"example": 25})
    expired_codes = fields.Integer(required=True, metadata={"example": 3})
    revoked_codes = fields.Integer(required=True, metadata={"example": 2})
    total_batches = fields.Integer(required=True, metadata={"example": 3})


class RedeemResponse(CamelCaseSchema):
    """Answer what a code earned."""

    points_earned = fields.Integer(required=True, metadata={"example": 500})
    points_awarded = fields.Integer(required=True, metadata={"example": 500})
    total_points = fields.Integer(required=True, metadata={"example": 1500})
    code = fields.String(required=True, metadata={"example": "SUMM-AX7K9M2P"})
    status = fields.String(required=True, metadata={"enum": ["REDEEMED"], "example": "REDEEMED"})
    message = fields.String(required=True, metadata={"example": "Code redeemed successfully"})
    redemption_id = fields.String(required=True, metadata=BATCH_ID)


class RollbackResponse(CamelCaseSchema):
    """Answer what was taken back."""

    redemption_id = fields.String(required=True, metadata=BATCH_ID)
    user_id = fields.String(required=True, metadata={"example": "user-1001"})
    points_rolled_back = fields.Integer(required=True, metadata={"example": 500})
    total_points = fields.Integer(required=True, metadata={"example": 1000})
    code = fields.String(required=True, metadata={"example": "SUMM-AX7K9M2P"})
    status = fields.String(
        required=True, metadata={"enum": list(campaign_codes.STATUSES), "example": "ACTIVE"}
    )
    message = fields.String(
        required=True, metadata={"example": "Redemption rolled back successfully"}
    )


class StatusChangeResponse(CamelCaseSchema):
    """Answer how many codes were revoked or reactivated."""

    count = fields.Integer(required=True, metadata={"example": 1})
    status = fields.String(
        required=True, metadata={"enum": list(campaign_codes.STATUSES), "example": "REVOKED"}
    )
    message = fields.String(required=True, metadata={"example": "Codes revoked successfully"})


class CodeResponse(CamelCaseSchema):
    """Describe a code, masked, and who redeemed it."""

    code = fields.String(required=True, metadata={"example": "SUMM-******2P"})
    batch_id = fields.String(required=True, metadata=BATCH_ID)
    status = fields.String(
        required=True, metadata={"enum": list(campaign_codes.STATUSES), "example": "REDEEMED"}
    )
    points_value = fields.Integer(required=True, metadata={"example": 500})
    expires_at = Timestamp(required=True, allow_none=True, metadata=MOMENT)
    redeemed_by = fields.String(required=True, allow_none=True, metadata={"example": "user-1001"})
    redeemed_at = Timestamp(required=True, allow_none=True, metadata=MOMENT)
    redemption_id = fields.String(required=True, allow_none=True, metadata=BATCH_ID)


class CodePageResponse(CamelCaseSchema):
    """Answer with a page of codes and the cursor of the next one."""

    codes = fields.List(fields.Nested(CodeResponse), required=True)
    next_cursor = fields.String(required=True, allow_none=True, metadata={"example": "2.1700"})
    limit = fields.Integer(required=True, metadata={"example": 20})


class CampaignResponse(CamelCaseSchema):
    """Describe a campaign."""

    id = fields.String(required=True, metadata=CAMPAIGN_ID)
    slug = fields.String(required=True, metadata={"example": "summer-promo"})
    name = fields.String(required=True, metadata={"example": "Summer Promo 2025"})
    status = fields.String(
        required=True, metadata={"enum": ["ACTIVE", "PAUSED", "ENDED"], "example": "ACTIVE"}
    )
    environment = fields.String(
        required=True, metadata={"enum": ["LIVE", "TEST"], "example": "LIVE"}
    )
    starts_at = Timestamp(required=True, allow_none=True, metadata=MOMENT)
    ends_at = Timestamp(required=True, allow_none=True, metadata=MOMENT)
    created_at = Timestamp(required=True, metadata=MOMENT)


class JobResponse(CamelCaseSchema):
    """Describe a job; `created` of the `requested` codes have been made."""

    id = fields.String(required=True, metadata=BATCH_ID)
    status = fields.String(
        required=True,
        metadata={"enum": ["QUEUED", "RUNNING", "DONE", "FAILED"], "example": "RUNNING"},
    )
    requested = fields.Integer(required=True, metadata={"example": 250_000})
    created = fields.Integer(required=True, metadata={"example": 100_000})
    error = fields.String(required=True, allow_none=True, metadata={"example": None})
    batch = fields.Nested(BatchResponse, required=True)
    created_at = Timestamp(required=True, metadata=MOMENT)
    updated_at = Timestamp(required=True, metadata=MOMENT)


class ErrorResponse(Schema):
    """Describe every error response."""

    message = fields.String(required=True, metadata={"example": INVALID})
    code = fields.Integer(required=True, metadata={"example": 400})
    status = fields.String(
        required=True,
        validate=validate.Equal("error"),
        metadata={"enum": ["error"], "example": "error"},
    )
    error = fields.String(
        required=True,
        metadata={"description": "A stable key for programs.", "example": "invalid_request"},
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "description": "What is wrong, by field.",
            "example": {"slug": ["Missing data for required field."]},
        },
    )
