"""applyInvoiceCoupon."""

from decimal import Decimal

from calls import Answer, Caller, Params, call, php
from calls.wire import use_arguments
from models.promotions import coupons
from models.redemptions import redemptions


class Arguments(Params):
    """Name the invoice and the coupon; the rest is ours."""

    id = use_arguments.Id(required=True)
    applycoupon = php.Text(required=True)
    client_id = use_arguments.Id(minimum=0)
    amount = use_arguments.Sum(load_default=None)
    setup_amount = use_arguments.Sum(load_default=None)


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
    use = use_arguments.use_of(
        caller, invoice_id=id, client_id=client_id, amount=amount, setup_amount=setup_amount
    )
    with caller.lookup_guard(client_id):
        coupon = coupons.by_code_or_id(applycoupon)
    redemptions.redeem(coupon, use)
    return Answer(info=("The coupon has been added to the invoice",))
