"""Field types that are strict about JSON types, and the names that fields have in JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, missing, validate

from models.store import clock
from models.store.texts import CONTROLS

LARGEST = 2_147_483_647
INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
EXAMPLES = {
    "batch_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "batch_size": 3,
    "campaign_id": "c1d2e3f4-a5b6-7890-1234-567890abcdef",
    "campaign_name": "Summer Promo 2025",
    "campaign_slug": "summer-promo",
    "code": "SUMM-AX7K9M2P",
    "created_at": "2030-05-20T08:00:00Z",
    "cursor": "2.1700",
    "display_name": "Anna",
    "ends_at": "2030-12-31T23:59:59Z",
    "event_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "expires_at": "2030-12-31T23:59:59Z",
    "game_url": "https://app.gamifyhost.com/campaign/summer-promo",
    "id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "label": "In-store promo cards",
    "name": "Summer Promo 2025",
    "next_cursor": "2.1700",
    "points_value": 500,
    "redeemed_at": "2030-07-01T12:30:00Z",
    "redeemed_by": "user-1001",
    "redemption_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "skip_rejected": False,
    "slug": "summer-promo",
    "starts_at": "2030-06-01T00:00:00Z",
    "updated_at": "2030-05-20T08:00:05Z",
    "user_id": "user-1001",
}
"""Examples by the names of fields."""
DESCRIPTIONS = {
    "batch_size": "How many codes.",
    "created": "How many codes have been made.",
    "cursor": "The `nextCursor` of the page before.",
    "display_name": "What the user is called; null if that was never said.",
    "ends_at": "When the campaign ends; null is never.",
    "environment": "Decided by the prefix of the secret.",
    "error": "Why the job failed; null if it did not.",
    "events_count": "How many redemptions of the user stand.",
    "expired": "Whether the campaign has ended.",
    "expires_at": "From when on a code cannot be redeemed; null is never.",
    "game_url": "Where the campaign is played.",
    "label": "A name of the batch, for people.",
    "limit": "How many there are on a page at most.",
    "line": "The place of the code in the list, counted from 1.",
    "next_cursor": "The `cursor` of the next page; null on the last one.",
    "page": "The number of the page, counted from 1.",
    "points_awarded": "The same as `pointsEarned`.",
    "points_value": "The points that each code earns.",
    "redemption_id": "Names the redemption when it is to be rolled back.",
    "rank": "The place by points, from 1; equal points share one.",
    "requested": "How many codes were ordered.",
    "skip_rejected": "Import the other codes where some cannot be; if not true, none.",
    "slug": "The name of the campaign in addresses.",
    "starts_at": "When the campaign starts; null is at once.",
    "total_points": "The points that the user now has in the campaign.",
    "until": "The `total` of the first page, so that batches made since then move no page.",
    "user_id": "Your own id of the user.",
    "valid": "Whether the code can be redeemed now.",
}
"""Descriptions by the names of fields, of those whose names do not say it all."""


class RestSchema(Schema):
    """Name fields in JSON as GamifyHost does, batchSize for `batch_size`, and describe them."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Set the name of a field in JSON, its example and its description."""
        field_obj.data_key = re.sub("_([a-z])", lambda found: found[1].upper(), field_name)
        example = EXAMPLES.get(field_name, field_obj.load_default)
        if example is not missing:
            field_obj.metadata = {"example": example, **field_obj.metadata}
        if field_name in DESCRIPTIONS:
            field_obj.metadata = {"description": DESCRIPTIONS[field_name], **field_obj.metadata}


class UpperCase(fields.String):
    """Name in upper case what the store names in lower case; `names` are all that there can be."""

    def __init__(self, names: Iterable[str], **options: Any) -> None:
        super().__init__(validate=validate.OneOf([name.upper() for name in names]), **options)

    def _serialize(self, value: Any, attr: Any, obj: Any, **options: Any) -> str:
        return str(value).upper()


class StrictInteger(fields.Integer):
    """Load a whole number of JSON: no text, no true, no fraction."""

    def __init__(self, least: int, most: int = LARGEST, **options: Any) -> None:
        super().__init__(validate=validate.Range(least, most), **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> int:
        # JSON Schema counts 3.0 as a whole number.
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
            raise self.make_error("invalid")
        return int(value)


class QueryInteger(StrictInteger):
    """Load a whole number from a query: plain digits."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,10}", value):
            raise self.make_error("invalid")
        return int(value)


class PatternString(fields.String):
    """Load a text of `least` to `most` characters; `pattern` holds for the whole of it.

    The default pattern lets in every text of one line.
    """

    def __init__(
        self,
        most: int,
        least: int = 1,
        pattern: str = f"[^{CONTROLS}]*",
        *validators: Callable[[Any], Any],
        **options: Any,
    ) -> None:
        described = {"pattern": f"^{pattern}$"} | options.pop("metadata", {})
        self.size = validate.Length(least, most)
        checks: list[Callable[[Any], Any]] = [self.size, *validators]
        super().__init__(validate=checks, metadata=described, **options)
        self.pattern = re.compile(pattern)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        self.size(text)
        if not self.pattern.fullmatch(text) or re.search(r"[\ud800-\udfff]", text):
            raise ValidationError("Has characters that cannot be here.")
        return text


class TrimmedString(PatternString):
    """Load such a text without the blanks around it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        return super()._deserialize(value, attr, data, **options).strip(" ")


class SizedList(fields.List[Any]):
    """Load a list of `least` to `most` members; none is looked at if there are too many."""

    def __init__(self, member: fields.Field[Any], least: int, most: int, **options: Any) -> None:
        self.size = validate.Length(least, most)
        super().__init__(member, validate=self.size, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        if isinstance(value, list):
            self.size(value)
        return super()._deserialize(value, attr, data, **options)


class StrictBoolean(fields.Boolean):
    """Load true or false of JSON, nothing that only means them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Timestamp(fields.Field[int]):
    """Load ISO 8601 with a zone as Unix seconds; dump it in UTC with `Z` and whole seconds."""

    default_error_messages = {  # noqa: RUF012  # marshmallow's own name
        "invalid": "Not a time such as 2030-12-31T23:59:59Z.",
        "past": "Must be in the future.",
    }

    def __init__(self, future: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.future = future

    def _serialize(self, value: int | None, attr: Any, obj: Any, **options: Any) -> str | None:
        if value is None:
            return None
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> int:
        if not isinstance(value, str) or not INSTANT.fullmatch(value):
            raise self.make_error("invalid")
        try:
            moment = datetime.fromisoformat(value.upper())
            seconds = int(moment.timestamp() // 1)
        except (ValueError, OverflowError):
            raise self.make_error("invalid") from None
        # Outside these it could not be shown again.
        if not 0 <= seconds <= 253_402_300_799:
            raise self.make_error("invalid")
        if self.future and seconds <= clock.now():
            raise self.make_error("past")
        return seconds
