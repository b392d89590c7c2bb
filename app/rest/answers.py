"""What is answered: the data of this face's envelopes, with an example of each field."""

from __future__ import annotations

from marshmallow import Schema, fields

from app.rest.fields import Instant
from app.rest.samples import BATCH_ID, CAMPAIGN_ID, MOMENT
from models.campaigns import campaign_codes


class Batch(Schema):
    """Describe a batch."""

    id = fields.String(required=True, metadata=BATCH_ID)
    campaignId = fields.String(required=True, metadata=CAMPAIGN_ID)
    batchSize = fields.Integer(required=True, metadata={"example": 3})
    pointsValue = fields.Integer(required=True, metadata={"example": 500})
    label = fields.String(
        required=True, allow_none=True, metadata={"example": "In-store promo cards"}
    )
    expiresAt = Instant(required=True, allow_none=True, metadata=MOMENT)
    createdAt = Instant(required=True, metadata=MOMENT)


class Generated(Schema):
    """Answer with a batch and its codes, this once."""

    batch = fields.Nested(Batch, required=True)
    codes = fields.List(
        fields.String(),
        required=True,
        metadata={"example": ["SUMM-AX7K9M2P", "SUMM-BF3D8N4Q", "SUMM-CG5H2R6T"]},
    )
    count = fields.Integer(required=True, metadata={"example": 3})
    gameUrl = fields.String(
        required=True, metadata={"example": "https://app.gamifyhost.com/campaign/summer-promo"}
    )


class Rejected(Schema):
    """Say why a code was left out; `line` counts from 1."""

    line = fields.Integer(required=True, metadata={"example": 2})
    code = fields.String(required=True, metadata={"example": "WELCOME-2031"})
    reason = fields.String(required=True, metadata={"example": "exists already"})


class Imported(Schema):
    """Answer with the batch of codes that were brought."""

    batch = fields.Nested(Batch, required=True)
    count = fields.Integer(required=True, metadata={"example": 2})
    rejected = fields.List(fields.Nested(Rejected), required=True, metadata={"example": []})


class Verified(Schema):
    """Answer what a code is worth."""

    valid = fields.Boolean(required=True, metadata={"example": True})
    status = fields.String(
        required=True, metadata={"enum": [*campaign_codes.STATUSES, ""], "example": "ACTIVE"}
    )
    pointsValue = fields.Integer(required=True, metadata={"example": 500})
    campaignName = fields.String(required=True, metadata={"example": "Summer Promo 2025"})
    campaignSlug = fields.String(required=True, metadata={"example": "summer-promo"})
    expired = fields.Boolean(required=True, metadata={"example": False})
    message = fields.String(required=True, metadata={"example": "Code is valid and redeemable"})


class BatchPage(Schema):
    """Answer with a page of batches."""

    batches = fields.List(fields.Nested(Batch), required=True)
    total = fields.Integer(required=True, metadata={"example": 1})
    page = fields.Integer(required=True, metadata={"example": 1})
    limit = fields.Integer(required=True, metadata={"example": 20})


class Stats(Schema):
    """Answer how the codes of a campaign stand."""

    totalCodes = fields.Integer(required=True, metadata={"example": 150})
    activeCodes = fields.Integer(required=True, metadata={"example": 120})
    redeemedCodes = fields.Integer(required=True, metadata={"example": 25})
    expiredCodes = fields.Integer(required=True, metadata={"example": 3})
    revokedCodes = fields.Integer(required=True, metadata={"example": 2})
    totalBatches = fields.Integer(required=True, metadata={"example": 3})


class Redeemed(Schema):
    """Answer what a code earned."""

    pointsEarned = fields.Integer(required=True, metadata={"example": 500})
    pointsAwarded = fields.Integer(required=True, metadata={"example": 500})
    totalPoints = fields.Integer(required=True, metadata={"example": 1500})
    code = fields.String(required=True, metadata={"example": "SUMM-AX7K9M2P"})
    status = fields.String(required=True, metadata={"enum": ["REDEEMED"], "example": "REDEEMED"})
    message = fields.String(required=True, metadata={"example": "Code redeemed successfully"})
    redemptionId = fields.String(required=True, metadata=BATCH_ID)


class RolledBack(Schema):
    """Answer what was taken back."""

    redemptionId = fields.String(required=True, metadata=BATCH_ID)
    userId = fields.String(required=True, metadata={"example": "user-1001"})
    pointsRolledBack = fields.Integer(required=True, metadata={"example": 500})
    totalPoints = fields.Integer(required=True, metadata={"example": 1000})
    code = fields.String(required=True, metadata={"example": "SUMM-AX7K9M2P"})
    status = fields.String(
        required=True, metadata={"enum": list(campaign_codes.STATUSES), "example": "ACTIVE"}
    )
    message = fields.String(
        required=True, metadata={"example": "Redemption rolled back successfully"}
    )


class Turned(Schema):
    """Answer how many codes were revoked or reactivated."""

    count = fields.Integer(required=True, metadata={"example": 1})
    status = fields.String(
        required=True, metadata={"enum": list(campaign_codes.STATUSES), "example": "REVOKED"}
    )
    message = fields.String(required=True, metadata={"example": "Codes revoked successfully"})


class Code(Schema):
    """Describe a code, masked, and who redeemed it."""

    code = fields.String(required=True, metadata={"example": "SUMM-******2P"})
    batchId = fields.String(required=True, metadata=BATCH_ID)
    status = fields.String(
        required=True, metadata={"enum": list(campaign_codes.STATUSES), "example": "REDEEMED"}
    )
    pointsValue = fields.Integer(required=True, metadata={"example": 500})
    expiresAt = Instant(required=True, allow_none=True, metadata=MOMENT)
    redeemedBy = fields.String(required=True, allow_none=True, metadata={"example": "user-1001"})
    redeemedAt = Instant(required=True, allow_none=True, metadata=MOMENT)
    redemptionId = fields.String(required=True, allow_none=True, metadata=BATCH_ID)


class CodePage(Schema):
    """Answer with a page of codes and the cursor of the next one."""

    codes = fields.List(fields.Nested(Code), required=True)
    nextCursor = fields.String(required=True, allow_none=True, metadata={"example": "2.1700"})
    limit = fields.Integer(required=True, metadata={"example": 20})


class Campaign(Schema):
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
    startsAt = Instant(required=True, allow_none=True, metadata=MOMENT)
    endsAt = Instant(required=True, allow_none=True, metadata=MOMENT)
    createdAt = Instant(required=True, metadata=MOMENT)


class Job(Schema):
    """Describe a job; `created` of the `requested` codes have been made."""

    id = fields.String(required=True, metadata=BATCH_ID)
    status = fields.String(
        required=True,
        metadata={"enum": ["QUEUED", "RUNNING", "DONE", "FAILED"], "example": "RUNNING"},
    )
    requested = fields.Integer(required=True, metadata={"example": 250_000})
    created = fields.Integer(required=True, metadata={"example": 100_000})
    error = fields.String(required=True, allow_none=True, metadata={"example": None})
    batch = fields.Nested(Batch, required=True)
    createdAt = Instant(required=True, metadata=MOMENT)
    updatedAt = Instant(required=True, metadata=MOMENT)
