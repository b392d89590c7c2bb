"""Schemas of request bodies and queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, RAISE, ValidationError, validate, validates_schema

from app.rest.fields import (
    PatternString,
    QueryInteger,
    RestSchema,
    SizedList,
    StrictBoolean,
    StrictInteger,
    Timestamp,
    TrimmedString,
    UpperCase,
)
from calls.wire import near_misses
from models.campaigns import campaign_codes, campaign_making, campaigns, code_list, jobs
from models.promotions import code_spelling
from models.promotions.campaign_counts import LABEL_LENGTH
from models.redemptions.players import NAME_LENGTH, USER_LENGTH

LIMIT_MOST = 100
CODE_TYPED = 255
"""Characters of a code as it is typed, blanks included."""


def slug_field() -> PatternString:
    """Return the field of the slug of a campaign."""
    reserved = campaigns.RESERVED_SLUGS
    return PatternString(
        63,
        2,
        campaigns.SLUG.pattern,
        validate.NoneOf(reserved, error="Is reserved."),
        required=True,
        metadata={"not": {"enum": sorted(reserved)}},
    )


def uuid_field(**options: Any) -> PatternString:
    """Return the field of an id."""
    pattern = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    return PatternString(36, 36, pattern, metadata={"format": "uuid"}, **options)


def code_field(**options: Any) -> PatternString:
    """Return the field of a code as a person types it."""
    described = {"description": "In any case, with or without blanks and hyphens."}
    return PatternString(CODE_TYPED, pattern=r"[^\u0000]*", metadata=described, **options)


class RequestSchema(RestSchema):
    """Refuse unknown fields, and say which known one they are a slip of."""

    error_messages = {"unknown": "Is unknown."}  # noqa: RUF012  # marshmallow's own name
    slips_pass: ClassVar = False

    class Meta:
        unknown = RAISE

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _meant(self, data: Any, original: Mapping[str, Any], **_: Any) -> None:
        known = [str(field.data_key) for field in self.fields.values()]
        unknown = [] if self.slips_pass else [name for name in original if name not in known]
        meant = {name: near_misses.near_miss(name, known) for name in unknown}
        messages = {name: [f"A slip: did you mean {each}?"] for name, each in meant.items() if each}
        if messages:
            raise ValidationError(messages)


class DocumentedRequest(RequestSchema):
    """Ignore unknown fields, as the published API does, but for slips of known ones."""

    class Meta:
        unknown = EXCLUDE


class BatchRequest(RequestSchema):
    """Describe a new batch; all but its campaign and its codes are what a Plan says."""

    slug = slug_field()
    points_value = StrictInteger(1, required=True, attribute="points")
    label = PatternString(LABEL_LENGTH, 0, allow_none=True)
    expires_at = Timestamp(future=True, allow_none=True)


class GenerateRequest(BatchRequest, DocumentedRequest):
    """Ask for a batch of codes at once."""

    batch_size = StrictInteger(1, campaign_making.GENERATED_MOST, required=True)


class GenerateJobRequest(BatchRequest):
    """Ask for a batch of codes that a worker makes."""

    batch_size = StrictInteger(1, jobs.CODES_MOST, required=True)


class ImportRequest(BatchRequest):
    """Ask for a batch of codes that came from elsewhere."""

    codes = SizedList(
        TrimmedString(32, pattern=rf" *{code_spelling.OWN.pattern} *"),
        1,
        campaign_making.GENERATED_MOST,
        required=True,
        metadata={"example": ["WELCOME-2030", "WELCOME-2031"]},
    )
    skip_rejected = StrictBoolean()


class VerifyRequest(DocumentedRequest):
    """Ask about a code."""

    code = code_field(required=True)


class LookupRequest(RequestSchema):
    """Ask for all that is known of a code."""

    code = code_field(required=True)


class RedeemRequest(DocumentedRequest):
    """Use a code for a user; `displayName` is what leaderboards call them from now on."""

    user_id = PatternString(USER_LENGTH, required=True)
    code = code_field(required=True)
    display_name = PatternString(NAME_LENGTH)


class CodeOrBatchRequest(RequestSchema):
    """Name one code, or all of a batch."""

    code = code_field()
    batch_id = uuid_field()

    @validates_schema
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if ("code" in data) == ("batch_id" in data):
            raise ValidationError("Give either code or batchId.", "code")


class EmptyRequest(RequestSchema):
    """Take no field."""


class CampaignRequest(RequestSchema):
    """Describe a new campaign."""

    slug = slug_field()
    name = PatternString(campaigns.NAME_LENGTH, required=True)
    status = UpperCase(
        campaigns.STATUSES,
        metadata={"example": "ACTIVE", "description": "ACTIVE when not given."},
    )
    starts_at = Timestamp(allow_none=True)
    ends_at = Timestamp(allow_none=True)

    @validates_schema
    def _order(self, data: dict[str, Any], **_: Any) -> None:
        starts_at, ends_at = data.get("starts_at"), data.get("ends_at")
        if starts_at is not None and ends_at is not None and ends_at <= starts_at:
            raise ValidationError("Must be after startsAt.", "endsAt")


class CampaignPageQuery(RequestSchema):
    """Ask for a page of campaigns; `cursor` is the slug of the last one that was seen."""

    cursor = PatternString(63, 2, campaigns.SLUG.pattern, metadata={"example": "summer-promo"})
    limit = QueryInteger(1, LIMIT_MOST, load_default=20)


class LeaderboardQuery(RequestSchema):
    """Ask for the players with the most points."""

    limit = QueryInteger(1, LIMIT_MOST, load_default=20)


class CampaignQuery(RequestSchema):
    """Name a campaign in the query."""

    slug = slug_field()


class DocumentedQuery(CampaignQuery):
    """Ignore all unknown fields, as the published API does."""

    slips_pass = True

    class Meta:
        unknown = EXCLUDE


class BatchPageQuery(DocumentedQuery):
    """Ask for a page of batches; `until` holds the list still while batches are added."""

    page = QueryInteger(1, 1_000_000_000, load_default=1)
    limit = QueryInteger(1, LIMIT_MOST, load_default=20)
    until = QueryInteger(1)


class CodePageQuery(CampaignQuery):
    """Ask for a page of codes."""

    batch_id = uuid_field()
    status = UpperCase(campaign_codes.STATUSES)
    cursor = PatternString(32, pattern=code_list.CURSOR)
    limit = QueryInteger(1, LIMIT_MOST, load_default=20)


class BatchQuery(CampaignQuery):
    """Name a batch of a campaign in the query."""

    batch_id = uuid_field(required=True)
