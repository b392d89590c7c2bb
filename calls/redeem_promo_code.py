"""redeemPromoCode."""

from calls import Answer, Caller, call
from calls.wire import use_arguments
from models.promotions import coupons
from models.redemptions import redemptions
from models.redemptions.use_rules import Use


@call("redeemPromoCode", params=use_arguments.UseParams, writes=True, extension=True)
def redeem_promo_code(caller: Caller, code: str, use: Use) -> Answer:
    """Use a code once, on an invoice when invoice_id is given, else in a cart."""
    with caller.noting(code, use):
        with caller.lookup_guard(use.client_id):
            coupon = coupons.by_code(code)
        redemption, new = redemptions.redeem(coupon, use)
    sale = "invoice" if use.invoice_id and use.invoice_id == redemption.invoice_id else "order"
    info = "has been redeemed" if new else f"was redeemed on this {sale} before"
    return Answer(
        {"redemption": use_arguments.shown(caller, redemption)},
        info=(f"The promotion code {info}",),
        redemption_id=redemption.id,
    )
