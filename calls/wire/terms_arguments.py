"""Arguments that describe terms, for every call that makes or changes a code or a batch."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from calls import Params, php
from calls.wire.ids import Count
from models.promotions.terms import CYCLES, GROUPS

COUPON_TYPES = ("cart", "invoice", "invoice_cart", "flavor")
TYPES = ("fixed", "percent")
CLIENTS = ("all", "new", "existing")
LIMITS = {"max_usage_limit": "usage_limit", "max_client_usage_limit": "max_client_usage"}
"""Each switch with the limit that counts while it is on."""
TLD = r"\.?[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*"


def described(sentence: str) -> dict[str, str]:
    """Return what is said of an argument where people meet it: as an option, in a reference."""
    return {"description": sentence}


class TermsParams(Params):
    """Declare the arguments that describe terms, in the vendor's order, then ours.

    Ours are the fields of a coupon in answers that addPromoCode has no argument for.
    """

    coupon_type = php.Choice(
        COUPON_TYPES, required=True, metadata=described("Where the codes can be used.")
    )
    value = php.Amount(required=True, metadata=described("The discount."))
    type = php.Choice(TYPES, required=True, metadata=described("What the value is."))
    clients = php.Choice(CLIENTS, load_default=None, metadata=described("Who may use the codes."))
    notes = php.Text(load_default="", max_length=10_000, metadata=described("Notes for admins."))
    apply_products = php.Flag()
    products = php.Ids(metadata=described("Only for these products."))
    apply_categories = php.Flag()
    categories = php.Ids(metadata=described("Only for these categories."))
    apply_addons = php.Flag()
    addons = php.Ids(metadata=described("Only for these addons."))
    apply_domains = php.Flag()
    domains = php.TextList(
        pattern=TLD, reason="must be a list of TLDs", metadata=described("Only for these TLDs.")
    )
    apply_forms = php.Flag()
    forms = php.Ids(metadata=described("Only for these forms."))
    cycles = php.TextList(
        pattern="|".join(CYCLES),
        reason=f"must hold only {', '.join(CYCLES)}",
        metadata=described("Only for these billing cycles."),
    )
    client_id = Count(metadata=described("The only client who may use the codes."))
    expires = php.Day(metadata=described("The last day on which the codes can be used."))
    max_usage_limit = php.Flag()
    usage_limit = Count()
    max_client_usage_limit = php.Flag()
    max_client_usage = Count(metadata=described("Uses of each code by one client; 0 is unlimited."))
    cycle = php.Choice(
        ("once", "recurring"),
        load_default="once",
        metadata=described("Whether recurring payments are discounted too."),
    )
    applyto = php.Choice(
        ("price", "setupfee", "both"),
        load_default="price",
        metadata=described("What is discounted."),
    )
    increase_in_days = Count(
        metadata=described("Days after which a recurring discount ends; 0 is never.")
    )
    min_cart_amount = php.Amount(
        load_default=Decimal(0),
        metadata=described("The smallest cart that the codes can be used for."),
    )
    prompt_cart_amount = php.Amount(
        load_default=Decimal(0),
        metadata=described("The cart amount from which the code is offered."),
    )


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
