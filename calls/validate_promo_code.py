"""validatePromoCode."""

from decimal import Decimal

from calls import Answer, Caller, call
from calls.wire import use_arguments
from models.promotions import coupons
from models.promotions.terms import Terms
from models.redemptions import redemptions, use_rules
from models.redemptions.money import Discount
from models.redemptions.redemptions import Quote
from models.redemptions.use_rules import Refused, Use
from models.store.errors import NotFound

DISCOUNTS = ("discount", "setup_discount", "total_discount")
NOTHING = Quote(None, frozenset())


@call("validatePromoCode", params=use_arguments.UseParams, extension=True)
def validate_promo_code(caller: Caller, code: str, use: Use) -> Answer:
    """Tell what a code would take off, or why it cannot be used; nothing is changed.

    Without amounts it tells whether the code can be used, and the discount is nothing, or empty
    where it depends on a minimum. `missing_amount` is what a cart lacks to be offered the code.
    """
    terms, quote, reason, message = None, NOTHING, "", ""
    try:
        with caller.noting(code, use):
            with caller.lookup_guard(use.client_id):
                coupon = coupons.by_code(code)
            terms = Terms.by_id(coupon.terms_id)
            quote = redemptions.quote(coupon, use)
    except (NotFound, Refused) as problem:
        reason, message = problem.key, problem.sentence
    places = caller.settings.amount_places
    payload = {"valid": not reason, "reason": reason, "message": message}
    off = quote.off or Discount(Decimal(0), Decimal(0))
    amounts = (off.price, off.setup, off.total)
    payload |= {
        name: use_arguments.amount_text(amount, places)
        for name, amount in zip(DISCOUNTS, amounts, strict=True)
    }
    if terms is None:
        return Answer(payload)
    if missing := use_rules.missing_amount(terms, use):
        payload["missing_amount"] = use_arguments.amount_text(missing, places)
    if reason:
        return Answer(payload)
    if use_rules.AMOUNT in quote.unsaid:
        payload |= dict.fromkeys(DISCOUNTS, "")
    least = use_arguments.amount_text(terms.min_cart_amount, places)
    sentences = {
        use_rules.AMOUNT: f"The promotion code asks for a cart of {least} at least",
        use_rules.CLIENT_USES: "The promotion code needs a client_id to be redeemed",
    }
    return Answer(
        payload, info=tuple(sentences[fact] for fact in sentences if fact in quote.unsaid)
    )
