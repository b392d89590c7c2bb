"""Schemas of this face: what may be asked and what is answered, with an example of each field."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from app.rest.fields import Count, Flag, Instant, Text, Whole
from models import campaign_codes, campaign_making, campaigns, code_forms, jobs
from models.campaign_batches import LABEL_LENGTH
from models.players import USER_LENGTH

PAGE_MOST = 1_000_000_000
LIMIT_MOST = 100
CODE_TYPED = 255
"""Characters of a code as it is typed, blanks included."""
SLUG = {"example": "summer-promo", "not": {"enum": sorted(campaigns.RESERVED_SLUGS)}}
BATCH_ID = {"example": "a1b2c3d4-e5f6-7890-abcd-ef1234567890"}
CAMPAIGN_ID = {"example": "c1d2e3f4-a5b6-7890-1234-567890abcdef"}
UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
ANY_TEXT = r"[^\u0000]*"
MOMENT = {"example": "2030-12-31T23:59:59Z"}


class Asked(Schema):
    """Declare a request; unknown fields are ignored."""

    class Meta:
        unknown = EXCLUDE


class Slug(Text):
    """Load the slug of a campaign."""

    def __init__(self, **options: Any) -> None:
        super().__init__(63, 2, campaigns.SLUG.pattern, metadata=SLUG, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if text in campaigns.RESERVED_SLUGS:
            raise ValidationError("Is reserved.")
        return text


class Uuid(Text):
    """Load an id."""

    def __init__(self, **options: Any) -> None:
        super().__init__(36, 36, UUID_PATTERN, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        return super()._deserialize(value, attr, data, **options).lower()


def code_field(**options: Any) -> Text:
    """Return the field of a code as a person types it."""
    return Text(CODE_TYPED, pattern=ANY_TEXT, metadata={"example": "SUMM-AX7K9M2P"}, **options)


class BatchBody(Asked):
    """Describe a new batch."""

    slug = Slug(required=True)
    pointsValue = Whole(1, required=True, metadata={"example": 500})
    label = Text(
        LABEL_LENGTH,
        0,
        load_default=None,
        allow_none=True,
        metadata={"example": "In-store promo cards"},
    )
    expiresAt = Instant(future=True, load_default=None, allow_none=True, metadata=MOMENT)


class Generate(BatchBody):
    """Ask for a batch of codes at once."""

    batchSize = Whole(1, campaign_making.GENERATED_MOST, required=True, metadata={"example": 3})


class GenerateJob(BatchBody):
    """Ask for a batch of codes that a worker makes."""

    batchSize = Whole(1, jobs.CODES_MOST, required=True, metadata={"example": 250_000})


class Bring(BatchBody):
    """Ask for a batch of codes that came from elsewhere."""

    codes = fields.List(
        Text(32, pattern=code_forms.OWN.pattern, metadata={"example": "WELCOME-2030"}),
        required=True,
        validate=validate.Length(1, campaign_making.GENERATED_MOST),
        metadata={"example": ["WELCOME-2030", "WELCOME-2031"]},
    )
    skipRejected = Flag(load_default=False, metadata={"example": False})


class Verify(Asked):
    """Ask about a code."""

    code = code_field(required=True)


class Redeem(Asked):
    """Use a code for a user."""

    userId = Text(USER_LENGTH, required=True, metadata={"example": "user-1001"})
    code = code_field(required=True)


class Which(Asked):
    """Name one code, or all of a batch."""

    code = code_field()
    batchId = Uuid(metadata=BATCH_ID)

    @validates_schema
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if ("code" in data) == ("batchId" in data):
            raise ValidationError("Give either code or batchId.", "code")


class Nothing(Asked):
    """Ask without a body; one that is sent holds nothing of interest."""


class CampaignBody(Asked):
    """Describe a new campaign."""

    slug = Slug(required=True)
    name = Text(campaigns.NAME_LENGTH, required=True, metadata={"example": "Summer Promo 2025"})
    status = fields.String(
        load_default="ACTIVE",
        validate=validate.OneOf([status.upper() for status in campaigns.STATUSES]),
        metadata={"example": "ACTIVE"},
    )
    startsAt = Instant(
        load_default=None, allow_none=True, metadata={"example": "2030-06-01T00:00:00Z"}
    )
    endsAt = Instant(load_default=None, allow_none=True, metadata=MOMENT)

    @validates_schema
    def _order(self, data: dict[str, Any], **_: Any) -> None:
        starts_at, ends_at = data.get("startsAt"), data.get("endsAt")
        if starts_at is not None and ends_at is not None and ends_at <= starts_at:
            raise ValidationError("Must be after startsAt.", "endsAt")


class OfCampaign(Asked):
    """Name a campaign in the query."""

    slug = Slug(required=True)


class Pages(OfCampaign):
    """Ask for a page of batches; `until` holds the list still while batches are added."""

    page = Count(1, PAGE_MOST, load_default=1, metadata={"example": 1})
    limit = Count(1, LIMIT_MOST, load_default=20, metadata={"example": 20})
    until = Count(1, 2_147_483_647, metadata={"example": 2})


class CodePages(OfCampaign):
    """Ask for a page of codes."""

    batchId = Uuid(metadata=BATCH_ID)
    status = fields.String(
        validate=validate.OneOf(campaign_codes.STATUSES),
        metadata={"example": "REDEEMED"},
    )
    cursor = Text(32, pattern=r"[0-9]{1,9}\.[0-9]{1,18}", metadata={"example": "2.1700"})
    limit = Count(1, LIMIT_MOST, load_default=20, metadata={"example": 20})


class OfBatch(OfCampaign):
    """Name a batch of a campaign in the query."""

    batchId = Uuid(required=True, metadata=BATCH_ID)


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
