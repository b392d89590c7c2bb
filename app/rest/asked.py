"""What may be asked: the bodies and queries of this face, with an example of each field."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from app.rest.fields import Count, Flag, Instant, Text, Whole
from app.rest.samples import BATCH_ID, MOMENT
from models.campaigns import campaign_codes, campaign_making, campaigns, jobs
from models.promotions import code_spelling
from models.promotions.campaign_counts import LABEL_LENGTH, NAME_LENGTH
from models.redemptions.players import USER_LENGTH

PAGE_MOST = 1_000_000_000
LIMIT_MOST = 100
CODE_TYPED = 255
"""Characters of a code as it is typed, blanks included."""
SLUG = {"example": "summer-promo", "not": {"enum": sorted(campaigns.RESERVED_SLUGS)}}
UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
ANY_TEXT = r"[^\u0000]*"


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
        Text(32, pattern=code_spelling.OWN.pattern, metadata={"example": "WELCOME-2030"}),
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
    name = Text(NAME_LENGTH, required=True, metadata={"example": "Summer Promo 2025"})
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
