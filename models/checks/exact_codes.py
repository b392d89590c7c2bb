"""List the live codes that are found by their exact spelling alone."""

from __future__ import annotations

from typing import NamedTuple

from models.promotions.coupons import Coupon
from models.store.texts import code_form


class ExactCode(NamedTuple):
    """Hold such a code; `other` is the live one that has its form, "" when none has it."""

    coupon_id: int
    code: str
    other: str


def exact_codes(most: int) -> tuple[int, list[ExactCode]]:
    """Return how many there are, and the first `most` of them."""
    alone = Coupon.select().where(Coupon.form.is_null(), Coupon.live.is_null(False))
    found = []
    for coupon in alone.order_by(Coupon.id).limit(most):
        same = Coupon.form == (code_form(coupon.code) or coupon.code)
        other = Coupon.get_or_none(same, Coupon.live == coupon.live)
        found.append(ExactCode(coupon.id, coupon.code, other.code if other else ""))
    return alone.count(), found
