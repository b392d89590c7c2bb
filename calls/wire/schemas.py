"""Schemas of batches and coupons in answers: one coupon has three shapes.

The schemas dump rows of the store into answers, and load saved answers back for an import.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from math import isfinite
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, post_dump, post_load
from marshmallow.fields import Field

from calls import php
from calls.wire.ids import LARGEST_COUNT, LARGEST_SAVED_ID, within
from models.promotions.terms import GROUPS

ACTIVE, ARCHIVED = "Active", "Archived"
LEVELS = 64
"""How deep a value may go that is kept as it came, as deep as arguments may."""
KINDS_OF_DRAWING = 32_767
"""The largest complexity that there is room for."""
IDS, COUNTS = within(1, LARGEST_SAVED_ID), within(0, LARGEST_COUNT)
Id = partial(php.Int, validate=IDS)
IdText = partial(php.IntStr, validate=IDS)
CountText = partial(php.IntStr, validate=COUNTS)


class Status(php.OutputField[bool | None]):
    """Show a live row as Active and any other as Archived."""

    expected = f"{ACTIVE} or {ARCHIVED}"

    def written(self, value: bool | None) -> str:
        """Return the word."""
        return ACTIVE if value else ARCHIVED

    def read(self, wire: Any) -> bool | None:
        """Return true or None. Raises ValueError."""
        if wire not in (ACTIVE, ARCHIVED):
            raise ValueError
        return True if wire == ACTIVE else None


class AnyJson(php.OutputField[Any]):
    """Keep any JSON value as it is."""

    expected = f"a JSON value of {LEVELS} levels at most with numbers in the range of floats"

    def read(self, wire: Any) -> Any:
        """Return the value. Raises ValueError for a number or a depth too large."""
        return _storable(wire)


class Config(AnyJson):
    """Show a batch's configuration: an imported one, or what its terms say."""

    expected = f"an object of {LEVELS} levels at most with numbers in the range of floats"

    def read(self, wire: Any) -> Any:
        """Return the object; `[]` is how PHP prints an empty one. Raises ValueError."""
        if not isinstance(wire, dict) and wire != []:
            raise ValueError
        return super().read(wire)


class CouponList(AnyJson):
    """Stand for the coupons of a batch, which are rendered on their own."""


class Shape(Schema):
    """Dump the unknown fields of an imported answer too, each after its old neighbour.

    Amounts have the decimals of the vendor's answers, and `places` where a currency has more.
    """

    shape: ClassVar[str]
    """Names this shape in the `extra` of terms: {shape: [[key before, key, value], …]}."""
    whole: ClassVar[bool] = True
    """Whether this shape tells all terms of a coupon."""

    class Meta:
        unknown = EXCLUDE

    def __init__(self, places: int = 0) -> None:
        self.places = places
        super().__init__()

    def on_bind_field(self, field_name: str, field_obj: Field[Any]) -> None:
        """Set also how many decimals an amount is shown with."""
        if isinstance(field_obj, php.Fixed):
            field_obj.places = max(field_obj.places, self.places)

    @post_dump(pass_original=True)
    def _insert_extras(self, data: dict[str, Any], row: Any, **_: Any) -> dict[str, Any]:
        extras = row.terms.extra.get(self.shape)
        return dict(_interleaved(data, extras)) if extras else data

    @post_load(pass_original=True)
    def _collect_extras(
        self, data: dict[str, Any], original: Mapping[str, Any], **_: Any
    ) -> dict[str, Any]:
        extras = []
        before = ""
        for key, value in original.items():
            if key not in self.fields:
                try:
                    extras.append([before, key, _storable(value)])
                except ValueError:
                    raise ValidationError(f"must be {AnyJson.expected}", key) from None
            before = key
        return data | {"extra": extras}


def _interleaved(data: Mapping[str, Any], extras: list[list[Any]]) -> Iterator[tuple[str, Any]]:
    """Yield the items of an answer with each extra behind the key it stood behind."""
    waiting = list(extras)
    for key, value in [("", None), *data.items()]:
        if key:
            yield key, value
        while waiting and waiting[0][0] == key:
            _, key, extra = waiting.pop(0)
            yield key, _with_objects(extra)
    for _, key, extra in waiting:
        yield key, _with_objects(extra)


def _with_objects(value: Any) -> Any:
    """Return a value whose objects stay objects, also where PHP would make them lists."""
    if isinstance(value, dict):
        members = (php.encode(key) + b":" + php.encode(_with_objects(value[key])) for key in value)
        return php.Raw(b"{" + b",".join(members) + b"}")
    return [*map(_with_objects, value)] if isinstance(value, list) else value


def _storable(value: Any, levels: int = LEVELS) -> Any:
    """Return a JSON value with floats for Decimals. Raises ValueError for one to be refused."""
    if isinstance(value, dict | list) and not levels:
        raise ValueError
    if isinstance(value, dict):
        return {key: _storable(member, levels - 1) for key, member in value.items()}
    if isinstance(value, list):
        return [_storable(member, levels - 1) for member in value]
    if isinstance(value, Decimal):
        value = float(value)
        if not isfinite(value):
            raise ValueError
    return value


def _in_any_zone(seconds: int | None) -> None:
    """Raise ValidationError for a time that another time zone could not show."""
    a_day = timedelta(days=1)
    first, last = datetime.min.replace(tzinfo=UTC) + a_day, datetime.max.replace(tzinfo=UTC) - a_day
    if seconds is not None and not first.timestamp() <= seconds <= last.timestamp():
        raise ValidationError("is too near to the beginning or the end of all years")


class Coupon(Shape):
    """Describe a coupon as listPromoBatches shows it inside a batch."""

    shape = "batch"

    id: php.OutputField[int] = Id()
    batch_id = php.IntStr(validate=within(0, LARGEST_SAVED_ID))
    active = php.Flag01()
    code = php.Str(max_length=32)
    status = Status(attribute="live")
    coupon_type = php.Str(attribute="terms.coupon_type", max_length=16)
    type = php.Str(attribute="terms.type", max_length=16)
    applyto = php.Str(attribute="terms.applyto", max_length=16)
    cycle = php.Str(attribute="terms.cycle", max_length=16)
    options = php.Str(attribute="terms.options", max_length=255)
    value: php.OutputField[Decimal] = php.Number(attribute="terms.value")
    cycles = php.Group(attribute="terms.cycles")
    products = php.Group(attribute="terms.products")
    categories = php.Group(attribute="terms.categories")
    upgrades = AnyJson(attribute="terms.upgrades", allow_none=True)
    addons = php.Group(attribute="terms.addons")
    domains = php.Group(attribute="terms.domains")
    forms = php.Group(attribute="terms.forms")
    expires = php.DayText(attribute="terms.expires")
    max_usage = CountText(attribute="terms.max_usage")
    num_usage = CountText()
    clients = php.Str(attribute="terms.clients", max_length=16)
    client_id = CountText(attribute="terms.client_id")
    notes = php.Str(attribute="terms.notes")
    max_client_usage = CountText(attribute="terms.max_client_usage")
    increase_in_days = CountText(attribute="terms.increase_in_days")
    min_cart_amount = php.Fixed(2, attribute="terms.min_cart_amount")
    prompt_cart_amount = php.Fixed(2, attribute="terms.prompt_cart_amount")


class CouponDetails(Coupon):
    """Describe a coupon as getPromoDetailsByCode shows it."""

    shape = "details"

    id = IdText()
    value = php.Fixed(2, attribute="terms.value")
    # guess: `cycles` is `false` like the groups when no cycle is chosen; the sample has one.
    cycles = php.Group(empty=False, attribute="terms.cycles")
    products = php.Group(empty=False, attribute="terms.products")
    categories = php.Group(empty=False, attribute="terms.categories")
    addons = php.Group(empty=False, attribute="terms.addons")
    domains = php.Group(empty=False, attribute="terms.domains")
    forms = php.Group(empty=False, attribute="terms.forms")
    lastname = php.Str(attribute="terms.lastname", max_length=255)
    firstname = php.Str(attribute="terms.firstname", max_length=255)


class CouponLine(Shape):
    """Describe a coupon as listPromoCodes shows it: eight fields, all strings."""

    shape = "line"
    whole = False

    id = IdText()
    code = php.Str(max_length=32)
    status = Status(attribute="live")
    coupon_type = php.Str(attribute="terms.coupon_type", max_length=16)
    type = php.Str(attribute="terms.type", max_length=16)
    value = php.Fixed(3, attribute="terms.value")
    num_usage = CountText()
    notes = php.Str(attribute="terms.notes")


class Batch(Shape):
    """Describe a batch as listPromoBatches shows it, but for its coupons."""

    shape = "head"

    id = Id()
    name = php.Str(max_length=255)
    status = Status(attribute="live")
    prefix = php.Str(max_length=32)
    coupon_type = php.Str(attribute="terms.coupon_type", max_length=16)
    type = php.Str(attribute="terms.type", max_length=16)
    value = php.Fixed(2, attribute="terms.value")
    complexity = php.IntStr(validate=within(0, KINDS_OF_DRAWING))
    notes = php.Str()
    coupon_config = Config(attribute="config")
    created_at = php.Moment(validate=_in_any_zone)
    updated_at = php.Moment(validate=_in_any_zone)
    coupons_count = php.Int(validate=COUNTS)
    coupons_used = CountText()
    coupons = CouponList()


def config_of(terms: Any) -> dict[str, Any]:
    """Return the `coupon_config` of a batch with these terms."""
    config: dict[str, Any] = {
        "cycle": terms.cycle,
        "increase_in_days": str(terms.increase_in_days or ""),
        "applyto": terms.applyto,
        "clients": terms.clients,
        "client_id": str(terms.client_id or ""),
        "notes": terms.notes,
    }
    config |= {f"apply_{group}": "1" if getattr(terms, group) else "0" for group in GROUPS}
    chosen = {group: list(getattr(terms, group)) for group in (*GROUPS, "cycles")}
    return config | {group: ids for group, ids in chosen.items() if ids}


def offered(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the terms that a `coupon_config` names, without those it spells in an unknown way."""
    wire = {name: config.get(name) for name in ("cycle", "applyto", "clients", "notes")}
    wire |= {name: config.get(name) or "0" for name in ("increase_in_days", "client_id")}
    for group in (*GROUPS, "cycles"):
        ids = config.get(group, [])
        # What is no text cannot be a key; the field refuses it.
        wire[group] = {str(each): each for each in ids} if isinstance(ids, list) else None
    values = {}
    for name, value in wire.items():
        with suppress(ValidationError):
            values[name] = Coupon._declared_fields[name].deserialize(value)
    return values
