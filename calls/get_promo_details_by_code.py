"""getPromoDetailsByCode."""

from calls import Answer, Caller, Params, call, php
from calls.rendering import row_json
from calls.wire import schemas
from models.promotions import coupons


class Arguments(Params):
    """Ask for one code."""

    code = php.Text(required=True, description="The code.")


@call("getPromoDetailsByCode", params=Arguments)
def get_promo_details_by_code(caller: Caller, code: str) -> Answer:
    """Show the coupon with a code: the live one first, else the newest archived one."""
    with caller.lookup_guard():
        row = coupons.row_by_code(row_json.columns(schemas.CouponDetails), code)
    [text] = row_json.of_rows(schemas.CouponDetails, [row], caller.places)
    return Answer({"coupon": php.Raw(text.encode())})
