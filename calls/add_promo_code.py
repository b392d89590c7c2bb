"""addPromoCode."""

from typing import Any

from marshmallow import ValidationError, validates_schema

from calls import Answer, Caller, call
from calls.wire import editing, schemas, terms_fields
from calls.wire.texts import NewCode
from models.promotions import coupon_life, coupons
from models.promotions.terms import Terms
from models.store import base


class Arguments(editing.TermsChange):
    """Describe the new coupon."""

    always = frozenset({"code", "coupon_type", "value", "type"})

    code = NewCode(required=True, description="What is typed.", call_only=True)
    status = terms_fields.Status(description="Archived puts the coupon away.")
    active = terms_fields.Active()

    class Meta(editing.TermsChange.Meta):
        fields = ("code", *editing.TermsChange._declared_fields, "status", "active")

    @validates_schema(skip_on_field_errors=False)
    def _whole(self, data: dict[str, Any], **_: Any) -> None:
        problems = editing.problems(Terms(clients=""), data)  # those must be said
        if problems:
            raise ValidationError(problems)


@call("addPromoCode", params=Arguments, writes=True)
@base.retried
def add_promo_code(
    caller: Caller,
    code: str,
    status: str = schemas.ACTIVE,
    active: bool = True,
    **terms: Any,
) -> Answer:
    """Make a coupon that stands alone."""
    with base.change():
        made = editing.revised(Terms(), terms)
        usable = not made.expired(caller.today)
        with caller.lookup_guard():
            coupon = coupons.add(code, made, live=status == schemas.ACTIVE, active=usable)
        if not active:
            coupon_life.edit(coupon.id, caller.today, active=False)
    return Answer({"code": code}, info=("New coupon created",))
