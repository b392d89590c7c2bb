"""addPromoCode."""

from typing import Any

from marshmallow import ValidationError, validates_schema

from calls import Answer, Caller, call, php
from calls.wire import editing, terms_arguments
from models.promotions import coupons
from models.promotions.terms import Terms
from models.store import base


class Arguments(terms_arguments.TermsParams):
    """Describe the new coupon."""

    code = php.Text(required=True, max_length=coupons.CODE_LENGTH)
    status = php.Choice(("Active", "Archived"), load_default="Active")

    class Meta(terms_arguments.TermsParams.Meta):
        fields = ("code", *terms_arguments.TermsParams._declared_fields, "status")

    @validates_schema(skip_on_field_errors=False)
    def _whole(self, data: dict[str, Any], **_: Any) -> None:
        problems = terms_arguments.problems(data)
        if problems:
            raise ValidationError(problems)


@call("addPromoCode", params=Arguments, writes=True)
@base.retried
def add_promo_code(caller: Caller, code: str, status: str, **terms: Any) -> Answer:
    """Make a coupon that stands alone."""
    with base.change():
        made = editing.revised(Terms(), terms)
        active = not made.expired(caller.today)
        coupons.add(code, made, live=status == "Active", active=active)
    return Answer({"code": code}, info=("New coupon created",))
