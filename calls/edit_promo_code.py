"""editPromoCode."""

from typing import Any

from calls import Answer, Caller, call, changes, php, shapes
from models import coupon_life


class Arguments(changes.TermsChange, changes.Named):
    """Name the coupon and say what changes."""

    always = frozenset({"id", "code"})

    status = php.Choice((shapes.ACTIVE, shapes.ARCHIVED))
    active = php.Flag()

    class Meta(changes.TermsChange.Meta):
        fields = ("id", "code", *changes.TermsChange._declared_fields, "status", "active")


@call("editPromoCode", params=Arguments, extension=True, writes=True)
def edit_promo_code(
    caller: Caller,
    id: int | None,
    code: str,
    status: str | None = None,
    active: bool | None = None,
    **given: Any,
) -> Answer:
    """Change one coupon, be it in a batch or alone."""
    coupon = coupon_life.edit(
        changes.coupon_named(id, code).id,
        caller.today,
        terms=changes.revising(given),
        live=None if status is None else status == shapes.ACTIVE,
        active=active,
    )
    return Answer({"code": coupon.code}, info=("The coupon has been changed",))
