"""applyInvoiceCoupon."""

from decimal import Decimal

from calls import Answer, Caller, call, php
from calls.wire import ids, use_arguments
from models.promotions import coupons
from models.redemptions import redemptions


class Arguments(ids.IdParams):
    """Name the invoice and the coupon; the rest is ours."""

    applycoupon = php.Text(required=True)
    client_id = ids.Count()
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
        coupon = coupons.named(applycoupon)
    redemptions.redeem(coupon, use)
    return Answer(info=("The coupon has been added to the invoice",))
