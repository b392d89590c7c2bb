"""Arguments of the calls that make or change terms: what is not given stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from marshmallow import ValidationError, pre_load, validates_schema
from marshmallow.validate import Predicate

from calls import Params, WrongParameters, php
from calls.wire import ids, schemas, terms_arguments
from models.promotions import coupons
from models.promotions.batches import Batch
from models.promotions.coupon_life import Revise
from models.promotions.coupons import Coupon
from models.promotions.terms import GROUPS, Terms

LARGEST_SIZE = 10_000
"""The most codes that one call makes."""
SWITCHES = {f"apply_{group}": group for group in GROUPS} | terms_arguments.LIMITS
TOGETHER = {"value": {"value", "type"}, "clients": {"clients", "coupon_type"}}
"""Terms that came from elsewhere may be wrong as a whole: only what is given is looked at."""


Size = partial(php.Whole, minimum=1, maximum=LARGEST_SIZE)
"""Load how many codes to make."""
Prefix = partial(
    php.Text,
    max_length=coupons.CODE_LENGTH,
    validate=Predicate("isprintable", error="must be printable characters"),
)
"""Load what codes begin with."""


class TermsChange(terms_arguments.TermsParams):
    """Declare the arguments of addPromoCode, and `max_usage` as answers call it.

    Only what is given is loaded, and an empty one is not given; `always` are loaded in any case.
    Whether the terms are right as a whole depends on those that it goes over: see `revised`.
    """

    always: ClassVar[frozenset[str]] = frozenset()

    max_usage = ids.Count(
        metadata=terms_arguments.described("Uses of each code in all; 0 is unlimited.")
    )

    def __init__(self) -> None:
        super().__init__(partial=set(self._declared_fields) - self.always)

    @pre_load
    def _without_empty(self, data: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if not self._is_empty(name, value)}

    def _is_empty(self, name: str, value: Any) -> bool:
        field = self.fields.get(name)
        return isinstance(field, php.Parameter) and field.is_absent(value)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _known_groups(self, data: Any, original: Mapping[str, Any], **_: Any) -> None:
        strange = [
            name for name in original if name.startswith("apply_") and name not in self.fields
        ]
        if strange:
            raise ValidationError({name: ["is no group"] for name in strange})


def described_terms() -> list[str]:
    """Return the names of the terms that people may give, as arguments, options and columns."""
    fields = TermsChange._declared_fields
    return [name for name in fields if "description" in fields[name].metadata]


class Named(Params):
    """Name one coupon by its code or its id."""

    id = ids.Id(load_default=None)
    code = php.Text(load_default="")


def coupon_named(id: int | None, code: str) -> Coupon:
    """Return the coupon with this id, else the one with this code: the live one first.

    Raises NotFound, and WrongParameters when there is neither, or an id with another code.
    """
    if id is None and not code:
        raise WrongParameters("Wrong parameter: code (is required when id is not given)")
    if id is None:
        return coupons.by_code(code)
    coupon = coupons.by_id(id)
    if code not in ("", coupon.code):
        raise WrongParameters("Wrong parameter: code (is not the code of the coupon with this id)")
    return coupon


def revising(given: Mapping[str, Any]) -> Revise | None:
    """Return what makes new terms of held ones, None when no argument is about terms."""
    about_terms = {name: given[name] for name in TermsChange._declared_fields if name in given}
    return partial(revised, given=about_terms) if about_terms else None


def revised(held: Terms, given: Mapping[str, Any]) -> Terms:
    """Return the terms with what is given, stored. Raises WrongParameters."""
    return drafted(held, given).stored()


def drafted(held: Terms, given: Mapping[str, Any]) -> Terms:
    """Return the same terms, whether they are stored or not. Raises WrongParameters."""
    wrong = problems(held, given)
    if wrong:
        raise WrongParameters(
            *(f"Wrong parameter: {name} ({'; '.join(why)})" for name, why in wrong.items())
        )
    content = terms_arguments.content_of(_switched(held.content()) | _switched(given))
    touched = {_field_of(name) for name in given}
    changes = {name: value for name, value in content.items() if name in touched}
    if changes.get("client_id", held.client_id) != held.client_id:
        changes |= {"firstname": "", "lastname": ""}
    return Terms.drafted(**(held.content() | changes))


def problems(held: Terms, given: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what would be wrong with the terms as a whole, by the argument's name."""
    found = terms_arguments.problems(_switched(held.content()) | _switched(given))
    return {
        name: why for name, why in found.items() if TOGETHER.get(name, given.keys()) & given.keys()
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


def _switched(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with a switch beside each group and limit that came without one."""
    whole = dict(given)
    if "max_usage" in whole:
        whole.setdefault("usage_limit", whole.pop("max_usage"))
    for switch, name in SWITCHES.items():
        if name in whole:
            whole.setdefault(switch, bool(whole[name]))
    return whole


def _field_of(argument: str) -> str:
    name = SWITCHES.get(argument, argument)
    return "max_usage" if name == "usage_limit" else name
