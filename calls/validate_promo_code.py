"""validatePromoCode."""

from decimal import Decimal
from typing import Any

from calls import Answer, Caller, call, php, uses
from models import coupons, redemptions
from models.errors import NotFound
from models.money import Discount
from models.uses import Refused

NOTHING = Discount(Decimal(0), Decimal(0))


class Arguments(uses.UseParams):
    """Ask what a code would do."""

    code = php.Text(required=True)

    class Meta(uses.UseParams.Meta):
        fields = ("code", *uses.UseParams._declared_fields)


@call("validatePromoCode", params=Arguments, extension=True)
def validate_promo_code(caller: Caller, code: str, **use: Any) -> Answer:
    """Tell what a code would take off, or why it cannot be used; nothing is changed.

    Without amounts it tells whether the code can be used, and the discount is nothing.
    """
    off, reason, message = NOTHING, "", ""
    try:
        with caller.guesses.looking_up(use["client_id"]):
            coupon = coupons.by_code(code)
        off = redemptions.quote(coupon, uses.use_of(caller, **use)) or NOTHING
    except (NotFound, Refused) as problem:
        reason, message = problem.key, problem.sentence
    places = caller.settings.amount_places
    return Answer(
        {
            "valid": not reason,
            "reason": reason,
            "message": message,
            "discount": uses.amount_text(off.price, places),
            "setup_discount": uses.amount_text(off.setup, places),
            "total_discount": uses.amount_text(off.total, places),
        }
    )
