"""addPromoCode."""

from typing import Any

from calls import Answer, Caller, call, php
from calls.wire import terms_arguments
from models.promotions import coupons
from models.store import base


class Arguments(terms_arguments.TermsParams):
    """Describe the new coupon."""

    code = php.Text(required=True, max_length=coupons.CODE_LENGTH)
    status = php.Choice(("Active", "Archived"), load_default="Active")

    class Meta(terms_arguments.TermsParams.Meta):
        fields = ("code", *terms_arguments.TermsParams._declared_fields, "status")


@call("addPromoCode", params=Arguments, writes=True)
@base.retried
def add_promo_code(caller: Caller, code: str, status: str, **terms: Any) -> Answer:
    """Make a coupon that stands alone."""
    with base.change():
        made = terms_arguments.terms_of(terms)
        active = not made.expired(caller.today)
        coupons.add(code, made, live=status == "Active", active=active)
    return Answer({"code": code}, info=("New coupon created",))
