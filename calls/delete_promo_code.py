"""deletePromoCode."""

from calls import Answer, Caller, call
from calls.wire import editing
from models.promotions import coupon_life


@call("deletePromoCode", params=editing.CodeOrIdParams, writes=True, extension=True)
def delete_promo_code(caller: Caller, id: int | None, code: str) -> Answer:
    """Delete a coupon; the usage log keeps its uses."""
    coupon = coupon_life.delete(editing.coupon_named(id, code).id)
    return Answer({"code": coupon.code}, info=("The coupon has been deleted",))
