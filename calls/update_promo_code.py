"""updatePromoCode."""

from typing import Any

from marshmallow import ValidationError, validates_schema

from calls import Answer, Caller, call
from calls.wire import editing, ids, schemas, terms_fields
from calls.wire.texts import NewCode
from models.promotions import coupon_life, coupons
from models.store.errors import NotFound
from models.store.texts import new_code

REQUIRED = ("id", "code", "coupon_type", "value", "type")


class Arguments(editing.TermsChange):
    """Name the coupon by its id, and describe it as addPromoCode does."""

    always = frozenset(REQUIRED)

    id = ids.Id(required=True, description="The coupon.", call_only=True)
    code = NewCode(required=True, description="What is typed.", call_only=True)
    status = terms_fields.Status(description="Archived puts the coupon away.")

    class Meta(editing.TermsChange.Meta):
        fields = ("id", "code", *editing.TermsChange._declared_fields, "status")

    @validates_schema(skip_on_field_errors=False)
    def _clients_said(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("coupon_type") == "invoice_cart" and "clients" not in data:
            raise ValidationError({"clients": ["is required when coupon_type is invoice_cart"]})


# guess: what updatePromoCode is not given stays as it is.
@call("updatePromoCode", params=Arguments, writes=True)
def update_promo_code(
    caller: Caller, id: int, code: str, status: str | None = None, **given: Any
) -> Answer:
    """Change one coupon, its code too, be it in a batch or alone."""
    try:
        before = coupons.by_id(id)
    except NotFound:
        raise NotFound(coupons.NO_SUCH_CODE, "code_not_found") from None
    with caller.lookup_guard():
        coupon_life.edit(
            before.id,
            caller.today,
            code=None if code == new_code(before.code) else code,
            terms=editing.revising(given),
            live=None if status is None else status == schemas.ACTIVE,
        )
    return Answer(info=("Coupon details changed",))
