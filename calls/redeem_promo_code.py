"""redeemPromoCode."""

from typing import Any

from calls import Answer, Caller, call, php, uses
from models import coupons, redemptions


class Arguments(uses.UseParams):
    """Name the code and where it is used."""

    code = php.Text(required=True)

    class Meta(uses.UseParams.Meta):
        fields = ("code", *uses.UseParams._declared_fields)


@call("redeemPromoCode", params=Arguments, extension=True, writes=True)
def redeem_promo_code(caller: Caller, code: str, **use: Any) -> Answer:
    """Use a code once, on an invoice when invoice_id is given, else in a cart."""
    with caller.guesses.looking_up(use["client_id"]):
        coupon = coupons.by_code(code)
    redemption, new = redemptions.redeem(coupon, uses.use_of(caller, **use))
    info = "has been redeemed" if new else "was redeemed on this invoice before"
    return Answer(
        {"redemption": uses.shown(caller, redemption)}, info=(f"The promotion code {info}",)
    )
