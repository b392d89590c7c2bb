"""editPromoCode."""

from typing import Any

from calls import Answer, Caller, call
from calls.wire import editing, schemas, terms_fields
from models.promotions import coupon_life


class Arguments(editing.TermsChange, editing.CodeOrIdParams):
    """Name the coupon and say what changes."""

    always = frozenset({"id", "code"})

    status = terms_fields.Status(description="Archived puts the coupon away.")
    active = terms_fields.Active()


@call("editPromoCode", params=Arguments, writes=True, extension=True)
def edit_promo_code(
    caller: Caller,
    id: int | None,
    code: str,
    status: str | None = None,
    active: bool | None = None,
    **given: Any,
) -> Answer:
    """Change one coupon, be it in a batch or alone."""
    before = editing.coupon_named(id, code)
    with caller.lookup_guard():
        coupon = coupon_life.edit(
            before.id,
            caller.today,
            terms=editing.revising(given),
            live=None if status is None else status == schemas.ACTIVE,
            active=active,
        )
    info = editing.unchanged(before, coupon) or ("The coupon has been changed",)
    return Answer({"code": coupon.code}, info=info)
