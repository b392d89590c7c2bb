"""applyInvoiceCoupon."""

from decimal import Decimal

from calls import Answer, Caller, Params, call, php, uses
from models import coupons, redemptions


class Arguments(Params):
    """Name the invoice and the coupon; the rest is ours."""

    id = uses.Id(required=True)
    applycoupon = php.Text(required=True)
    client_id = uses.Id(minimum=0)
    amount = uses.Sum(load_default=None)
    setup_amount = uses.Sum(load_default=None)


@call("applyInvoiceCoupon", params=Arguments, writes=True)
def apply_invoice_coupon(
    caller: Caller,
    id: int,
    applycoupon: str,
    client_id: int,
    amount: Decimal | None,
    setup_amount: Decimal | None,
) -> Answer:
    """Use a coupon on an invoice; the same coupon on the same invoice again is not counted."""
    use = uses.use_of(
        caller, invoice_id=id, client_id=client_id, amount=amount, setup_amount=setup_amount
    )
    with caller.guesses.looking_up(client_id):
        coupon = coupons.named(applycoupon)
    redemptions.redeem(coupon, use)
    return Answer(info=("The coupon has been added to the invoice",))
