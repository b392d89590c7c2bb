"""applyInvoiceCoupon."""

from dataclasses import replace

from calls import Answer, Caller, call, php
from calls.wire import ids, use_arguments
from models.promotions import coupons
from models.promotions.terms import Terms
from models.redemptions import redemptions, use_rules
from models.redemptions.use_rules import Use

NAMES = {
    use_rules.OWNER: "who the client is",
    use_rules.CLIENT_USES: "how often the client used it",
    use_rules.ITEMS: "what is bought",
    use_rules.AMOUNT: "the smallest amount",
}
"""The facts that the vendor's arguments do not tell, as the answer names them."""


class Arguments(use_arguments.UseParams):
    """Name the invoice and the coupon; the other arguments are extensions."""

    invoice_id = ids.Id(required=True, data_key="id", description="The invoice.")
    code = php.Text(
        required=True, data_key="applycoupon", description="A code, or the id of a coupon."
    )

    class Meta(use_arguments.UseParams.Meta):
        fields = ("invoice_id", "code", *use_arguments.UseParams._declared_fields)


@call("applyInvoiceCoupon", params=Arguments, writes=True)
def apply_invoice_coupon(caller: Caller, code: str, use: Use) -> Answer:
    """Use a coupon on an invoice; the same coupon on the same invoice again is not counted.

    What neither the arguments nor the panel can tell is not checked, and the answer says so; see
    `unknown_facts`.
    """
    with caller.noting(code, use), caller.lookup_guard(use.client_id):
        coupon = coupons.by_code_or_id(code)
    use = replace(use, **caller.invoice())
    info = ["The coupon has been added to the invoice"]
    if caller.settings.unknown_facts == "count":
        use = replace(use, unchecked=frozenset(NAMES))
        unsaid = use_rules.unsaid(Terms.by_id(coupon.terms_id), use)
        if names := [name for fact, name in NAMES.items() if fact in unsaid]:
            info.append(f"Not checked, as the call does not tell it: {', '.join(names)}")
    with caller.noting(code, use):
        redemption, counted = redemptions.redeem(coupon, use)
    return Answer(info=tuple(info), redemption_id=redemption.id, repeated=not counted)
