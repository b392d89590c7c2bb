"""Arguments of the calls that make or edit coupons and batches, most of them about terms."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from marshmallow import pre_load
from marshmallow.fields import Field

from calls import Params, WrongParameters, php
from calls.wire import schemas
from calls.wire.ids import Count, Id
from calls.wire.terms_fields import (
    ListSwitch,
    Name,
    Switch,
    TermsAmount,
    Upgrades,
)
from calls.wire.texts import ONE_LINE, SOME_LINES
from models.promotions import coupons
from models.promotions.batches import Batch
from models.promotions.coupon_life import Revise
from models.promotions.coupons import Coupon
from models.promotions.terms import CYCLES, GROUPS, Terms
from models.store.texts import code_form

COUPON_TYPES = ("cart", "invoice", "invoice_cart", "flavor")
TYPES = ("fixed", "percent")
CLIENTS = ("all", "new", "existing")
LIMITS = {"max_usage_limit": "usage_limit", "max_client_usage_limit": "max_client_usage"}
"""Each switch with the limit that counts while it is on."""
KNOWN_CYCLES = (*CYCLES, "Hourly", *(f"tld{years}" for years in range(1, 11)), "0")
"""Those of the vendor's page, and those that panels store besides: 0 stands for all."""
UNCHANGED = "Nothing was changed: all of it was so before"
EDITED = ("name", "prefix", "notes", "code", "live", "active", "stopped", "shelved", "terms_id")
"""What edits change in a batch or a coupon."""
NAMES = ("firstname", "lastname")
TLD = r"\.?[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*"
SWITCHES = {f"apply_{group}": group for group in GROUPS} | LIMITS
DEPENDS_ON = {"value": {"value", "type"}, "clients": {"clients", "coupon_type"}}
"""Imported terms may be contradictory: these are refused only with one of their arguments given."""


class TermsChange(Params):
    """Declare the arguments that describe terms: in the vendor's order, then as answers call them.

    Only what is given is loaded; `always` are loaded in any case. An empty value is what stands for
    none, and is not given where there is none, as in a choice. Whether the terms are right as a
    whole depends on those that are held: see `revised`.
    """

    always: ClassVar[frozenset[str]] = frozenset()
    places = 0
    """The decimals of the currency where no caller says them."""

    coupon_type = php.Choice(
        COUPON_TYPES, required=True, description="Where the codes can be used."
    )
    value = TermsAmount(required=True, description="The discount.")
    type = php.Choice(TYPES, required=True, description="What the value is.")
    clients = php.Choice(CLIENTS, load_default=None, description="Who may use the codes.")
    notes = php.Text(
        load_default="",
        max_length=10_000,
        validate=SOME_LINES,
        description="Notes for admins.",
    )
    apply_products = ListSwitch()
    products = php.Ids(description="Only for these products.")
    apply_categories = ListSwitch()
    categories = php.Ids(description="Only for these categories.")
    apply_addons = ListSwitch()
    addons = php.Ids(description="Only for these addons.")
    apply_domains = ListSwitch()
    domains = php.TextList(
        pattern=TLD, reason="must be a list of TLDs", description="Only for these TLDs."
    )
    apply_forms = ListSwitch()
    forms = php.Ids(description="Only for these forms.")
    cycles = php.TextList(
        pattern="|".join(KNOWN_CYCLES),
        reason=f"must hold only {', '.join(CYCLES)}, Hourly, tld1 to tld10, or 0 for all",
        description="Only for these billing cycles.",
    )
    client_id = Count(description="The only client who may use the codes.")
    expires = php.Day(description="The last day on which the codes can be used.")
    max_usage_limit = Switch(description="Switches `usage_limit` on.")
    usage_limit = Count(description="Uses of each code in all.", call_only=True)
    max_client_usage_limit = Switch(description="Switches `max_client_usage` on.")
    max_client_usage = Count(description="Uses of each code by one client; 0 is unlimited.")
    cycle = php.Choice(
        ("once", "recurring"),
        load_default="once",
        description="Whether recurring payments are discounted too.",
    )
    applyto = php.Choice(
        ("price", "setupfee", "both"), load_default="price", description="What is discounted."
    )
    increase_in_days = Count(description="Days after which a recurring discount ends; 0 is never.")
    min_cart_amount = TermsAmount(
        load_default=Decimal(0), description="The smallest cart that the codes can be used for."
    )
    prompt_cart_amount = TermsAmount(
        load_default=Decimal(0), description="The cart amount from which the code is offered."
    )
    max_usage = Count(description="Uses of each code in all; 0 is unlimited.")
    options = php.Text(
        load_default="0",
        max_length=255,
        validate=ONE_LINE,
        description=(
            "Bits of what is done with a domain: 1 register, 2 transfer, 4 renew; `0` is all."
        ),
        call_only=True,
    )
    upgrades = Upgrades(description="Only for these upgrades.", call_only=True)
    firstname = Name()
    lastname = Name()

    def __init__(self) -> None:
        super().__init__(partial=set(self._declared_fields) - self.always)

    @classmethod
    def described(cls) -> dict[str, Field[Any]]:
        """Return the fields that people may give, as arguments, options and columns."""
        fields = cls._declared_fields
        return {name: each for name, each in fields.items() if not each.metadata["call_only"]}

    @pre_load
    def _without_empty(self, data: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        fields: dict[str, Any] = self.fields
        return {
            name: value
            for name, value in data.items()
            if name not in fields or not _has_no_empty(fields[name]) or value != ""
        }


class CodeOrIdParams(Params):
    """Name one coupon by its code or its id."""

    id = Id(load_default=None, description="The coupon, where no code is given.", call_only=True)
    code = php.Text(load_default="", description="The code, where no id is given.", call_only=True)


def _has_no_empty(field: Field[Any]) -> bool:
    """Tell whether an empty value says nothing, as there is none that stands for it."""
    return field.required or isinstance(field, php.Choice)


def coupon_named(id: int | None, code: str) -> Coupon:
    """Return the coupon with this id, else the one with this code: the live one first.

    Raises NotFound, and WrongParameters when there is neither, or an id with another code.
    """
    if id is None and not code:
        raise WrongParameters("Wrong parameter: code (is required when id is not given)")
    if id is None:
        return coupons.by_code(code)
    coupon = coupons.by_id(id)
    if code not in ("", coupon.code) and code_form(code) != (coupon.form or ""):
        raise WrongParameters("Wrong parameter: code (is not the code of the coupon with this id)")
    return coupon


def unchanged(before: Coupon | Batch, after: Coupon | Batch) -> tuple[str, ...]:
    """Return the sentence that an edit changed nothing, none when it did."""
    changed = any(getattr(before, name, None) != getattr(after, name, None) for name in EDITED)
    return () if changed else (UNCHANGED,)


def revising(given: Mapping[str, Any]) -> Revise | None:
    """Return the function from old terms to new ones, None when no argument is about terms."""
    about_terms = {name: given[name] for name in TermsChange._declared_fields if name in given}
    return partial(revised, given=about_terms) if about_terms else None


def revised(held: Terms, given: Mapping[str, Any]) -> Terms:
    """Return the terms with what is given, stored. Raises WrongParameters."""
    return drafted(held, given).stored()


def drafted(held: Terms, given: Mapping[str, Any]) -> Terms:
    """Return the terms with what is given, not stored. Raises WrongParameters."""
    wrong = problems(held, given)
    if wrong:
        raise WrongParameters.of(wrong)
    content = held.content()
    touched = {_column_of(name) for name in given}
    content |= {
        name: value for name, value in _content_of(_merged(held, given)).items() if name in touched
    }
    if content["client_id"] != held.client_id:
        content |= {name: given.get(name, "") for name in NAMES}
    return Terms.drafted(**content)


def problems(held: Terms, given: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what would be wrong with the terms as a whole, by the argument's name."""
    data = _merged(held, given)
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
    for switch, name in SWITCHES.items():
        if given.get(switch) is False and _with_switches(given).get(name):
            found[switch] = [f"is off, but {name} is given"]
    limits = {given[name] for name in ("usage_limit", "max_usage") if name in given}
    if len(limits) > 1:
        found["max_usage"] = ["must be what usage_limit is, or be left out"]
    return {
        name: reasons
        for name, reasons in found.items()
        if name not in DEPENDS_ON or DEPENDS_ON[name] & given.keys()
    }


def config_after(config: Any, old: Terms, new: Terms) -> dict[str, Any]:
    """Return an imported `coupon_config` with what differs between the terms."""
    before, after = schemas.config_of(old), schemas.config_of(new)
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    kept = {key: value for key, value in dict(config).items() if key not in changed}
    return kept | {key: value for key, value in after.items() if key in changed}


def counts(batch: Batch) -> dict[str, Any]:
    """Return what calls answer that make or change a batch."""
    return {"batch_id": str(batch.id), "coupons_count": batch.coupons_count}


def _merged(held: Terms, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that describe held terms, with the given ones laid over them."""
    return _with_switches(held.content()) | _with_switches(given)


def _with_switches(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with a switch beside each group and limit that came without one."""
    whole = dict(given)
    if "max_usage" in whole:
        whole.setdefault("usage_limit", whole.pop("max_usage"))
    for switch, name in SWITCHES.items():
        if name in whole:
            whole.setdefault(switch, bool(whole[name]))
    return whole


def _column_of(argument: str) -> str:
    name = SWITCHES.get(argument, argument)
    return "max_usage" if name == "usage_limit" else name


def _content_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of the terms that arguments describe."""
    content = dict(arguments)
    # As the panel's form does: a group or limit counts only while its switch is on.
    for switch, name in SWITCHES.items():
        if not content.pop(switch):
            content[name] = 0 if switch in LIMITS else ()
    for name in (*GROUPS, "cycles"):
        content[name] = {each: each for each in content[name]}
    return content | {"max_usage": content["usage_limit"], "clients": content["clients"] or "all"}
