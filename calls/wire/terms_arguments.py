"""Arguments that describe terms, for every call that makes or changes a code or a batch."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, validates_schema

from calls import Params, php
from models.promotions.terms import CYCLES, GROUPS, Terms

COUPON_TYPES = ("cart", "invoice", "invoice_cart", "flavor")
TYPES = ("fixed", "percent")
CLIENTS = ("all", "new", "existing")
LIMITS = {"max_usage_limit": "usage_limit", "max_client_usage_limit": "max_client_usage"}
"""Each switch with the limit that counts while it is on."""
LARGEST_COUNT = 2_147_483_647
TLD = r"\.?[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*"


class Count(php.Whole):
    """Load a count that a 32-bit column holds; absent is 0."""

    def __init__(self, **options: Any) -> None:
        super().__init__(minimum=0, maximum=LARGEST_COUNT, load_default=0, **options)


class TermsParams(Params):
    """Declare the arguments that describe terms, in the vendor's order, then ours.

    Ours are the fields of a coupon in answers that addPromoCode has no argument for.
    """

    coupon_type = php.Choice(COUPON_TYPES, required=True)
    value = php.Amount(required=True)
    type = php.Choice(TYPES, required=True)
    clients = php.Choice(CLIENTS, load_default=None)
    notes = php.Text(load_default="", max_length=10_000)
    apply_products = php.Flag()
    products = php.Ids()
    apply_categories = php.Flag()
    categories = php.Ids()
    apply_addons = php.Flag()
    addons = php.Ids()
    apply_domains = php.Flag()
    domains = php.TextList(pattern=TLD, reason="must be a list of TLDs")
    apply_forms = php.Flag()
    forms = php.Ids()
    cycles = php.TextList(choices=CYCLES)
    client_id = Count()
    expires = php.Day()
    max_usage_limit = php.Flag()
    usage_limit = Count()
    max_client_usage_limit = php.Flag()
    max_client_usage = Count()
    cycle = php.Choice(("once", "recurring"), load_default="once")
    applyto = php.Choice(("price", "setupfee", "both"), load_default="price")
    increase_in_days = Count()
    min_cart_amount = php.Amount(load_default=Decimal(0))
    prompt_cart_amount = php.Amount(load_default=Decimal(0))

    @validates_schema(skip_on_field_errors=False)
    def _whole(self, data: dict[str, Any], **_: Any) -> None:
        found = problems(data)
        if found:
            raise ValidationError(found)


def problems(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong with loaded arguments as a whole, by the argument's name."""
    found: dict[str, list[str]] = {}
    if data.get("coupon_type") == "invoice_cart" and not data.get("clients"):
        found["clients"] = ["is required when coupon_type is invoice_cart"]
    if data.get("type") == "percent" and data.get("value", 0) > 100:
        found["value"] = ["must be 100 at most when type is percent"]
    for group in GROUPS:
        if data.get(f"apply_{group}") and not data.get(group):
            found[group] = [f"is required when apply_{group} is on"]
    for switch, limit in LIMITS.items():
        if data.get(switch) and not data.get(limit):
            found[limit] = [f"must be 1 or more when {switch} is on"]
    return found


def terms_of(arguments: Mapping[str, Any]) -> Terms:
    """Return the terms that loaded arguments describe."""
    return Terms.of(**content_of(arguments))


def content_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the terms that loaded arguments describe."""
    given = dict(arguments)
    # As the panel's form does: a group or limit counts only while its switch is on.
    for group in GROUPS:
        chosen = given.pop(group) if given.pop(f"apply_{group}") else []
        given[group] = {name: name for name in chosen}
    given["cycles"] = {name: name for name in given["cycles"]}
    limited = given.pop("max_usage_limit"), given.pop("max_client_usage_limit")
    given["max_usage"] = given.pop("usage_limit") if limited[0] else 0
    given["max_client_usage"] = given["max_client_usage"] if limited[1] else 0
    given["clients"] = given["clients"] or "all"
    return given
