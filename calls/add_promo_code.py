"""addPromoCode."""

from typing import Any

from marshmallow import ValidationError, missing, validates_schema

from calls import Answer, Caller, call, php
from calls.wire import editing
from calls.wire.ids import Count
from calls.wire.texts import NewCode
from models.promotions import coupons
from models.promotions.terms import Terms
from models.store import base


class Arguments(editing.TermsParams):
    """Describe the new coupon."""

    code = NewCode(required=True)
    max_usage = Count(load_default=missing)
    status = php.Choice(("Active", "Archived"), load_default="Active")

    class Meta(editing.TermsParams.Meta):
        fields = ("code", *editing.TermsParams._declared_fields, "max_usage", "status")

    @validates_schema(skip_on_field_errors=False)
    def _whole(self, data: dict[str, Any], **_: Any) -> None:
        problems = editing.problems(Terms(clients=""), data)  # those must be said
        if problems:
            raise ValidationError(problems)


@call("addPromoCode", params=Arguments, writes=True)
@base.retried
def add_promo_code(caller: Caller, code: str, status: str, **terms: Any) -> Answer:
    """Make a coupon that stands alone."""
    with base.change():
        made = editing.revised(Terms(), terms)
        active = not made.expired(caller.today)
        with caller.lookup_guard():
            coupons.add(code, made, live=status == "Active", active=active)
    return Answer({"code": code}, info=("New coupon created",))
