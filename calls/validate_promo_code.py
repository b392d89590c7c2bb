"""validatePromoCode."""

from decimal import Decimal

from calls import Answer, Caller, call
from calls.wire import use_arguments
from models.promotions import coupons
from models.redemptions import redemptions
from models.redemptions.money import Discount
from models.redemptions.use_rules import Refused, Use
from models.store.errors import NotFound

NOTHING = Discount(Decimal(0), Decimal(0))


@call("validatePromoCode", params=use_arguments.UseParams, extension=True)
def validate_promo_code(caller: Caller, code: str, use: Use) -> Answer:
    """Tell what a code would take off, or why it cannot be used; nothing is changed.

    Without amounts it tells whether the code can be used, and the discount is nothing.
    """
    off, reason, message = NOTHING, "", ""
    try:
        with caller.lookup_guard(use.client_id):
            coupon = coupons.by_code(code)
        off = redemptions.quote(coupon, use) or NOTHING
    except (NotFound, Refused) as problem:
        reason, message = problem.key, problem.sentence
    places = caller.settings.amount_places
    return Answer(
        {
            "valid": not reason,
            "reason": reason,
            "message": message,
            "discount": use_arguments.amount_text(off.price, places),
            "setup_discount": use_arguments.amount_text(off.setup, places),
            "total_discount": use_arguments.amount_text(off.total, places),
        }
    )
