"""applyInvoiceCoupon."""

from calls import Answer, Caller, call, php
from calls.wire import ids, use_arguments
from models.promotions import coupons
from models.redemptions import redemptions
from models.redemptions.use_rules import Use


class Arguments(use_arguments.UseParams):
    """Name the invoice and the coupon; the other arguments are extensions."""

    invoice_id = ids.Id(required=True, data_key="id")
    code = php.Text(required=True, data_key="applycoupon")

    class Meta(use_arguments.UseParams.Meta):
        fields = ("invoice_id", "code", "client_id", "amount", "setup_amount")


@call("applyInvoiceCoupon", params=Arguments, writes=True)
def apply_invoice_coupon(caller: Caller, code: str, use: Use) -> Answer:
    """Use a coupon on an invoice; the same coupon on the same invoice again is not counted."""
    with caller.lookup_guard(use.client_id):
        coupon = coupons.by_code_or_id(code)
    redemptions.redeem(coupon, use)
    return Answer(info=("The coupon has been added to the invoice",))
