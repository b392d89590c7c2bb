"""Find the use of a coupon that stands on a sale, and tell it what a later request knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from models.promotions import coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import daily_sums, services, use_rules
from models.redemptions.redemption import USED, Redemption
from models.redemptions.use_rules import Refused, Use
from models.store.base import change
from models.store.prepared import Prepared, slot

_NUMBERS = "client_id", "invoice_id", "order_id", "account_id"
_AMOUNTS = "amount", "setup_amount"
_OF_SALE = dict.fromkeys(_NUMBERS, 0) | dict.fromkeys(_AMOUNTS)
"""What a later request for the same sale may add, and what says that it is not known."""


def _standing(coupon: Coupon, use: Use) -> Redemption | None:
    """Return the use of the coupon that stands on the same sale: on its invoice, else its order."""
    found = None
    if use.invoice_id:
        found = Redemption.get_or_none(coupon_id=coupon.id, invoice_slot=use.invoice_id)
    return found or on_order(coupon, use)


def on_order(coupon: Coupon, use: Use | Redemption) -> Redemption | None:
    """Return the first use of the coupon that stands on the same order.

    Another service of the order is another sale, and so is another invoice of one service.
    """
    if not use.order_id:
        return None
    row = _of_order.first(
        coupon_id=coupon.id,
        order_id=use.order_id,
        account_id=use.account_id,
        invoice_id=use.invoice_id if use.account_id else 0,
    )
    return Redemption.of_row(row) if row else None


def known(coupon: Coupon, terms: Terms, use: Use) -> Redemption | None:
    """Return the use of the coupon that `told_more` would return; change nothing."""
    standing = _standing(coupon, use)
    if standing is not None:
        for name, value in _with_discount(_news(standing, use), standing, terms, use).items():
            setattr(standing, name, value)
    return standing


def told_more(coupon: Coupon, terms: Terms, use: Use) -> Redemption | None:
    """Return the use of the coupon that stands on the same sale, with what is known by now.

    What it knew stays; a discount follows an amount that it did not know.
    """
    standing = _standing(coupon, use)
    if standing is None or not _news(standing, use):
        return standing
    with change():
        # As a use and a release do, so that neither comes between.
        coupons.locked_by_id(coupon.id)
        standing = _standing(coupon, use)
        if standing is None:
            return None
        news = _news(standing, use)
        # A service keeps the use that it has.
        if "account_id" in news and not services.begin(
            coupon.id, use.account_id, standing.redeemed_at
        ):
            del news["account_id"]
        news = _with_discount(news, standing, terms, use)
        if "invoice_id" in news:  # nothing stands on it, else that had been found
            news["invoice_slot"] = use.invoice_id
        if news:
            daily_sums.count(standing, -1)
            Redemption.update(news).where(Redemption.id == standing.id).execute()
            daily_sums.count(Redemption.get_by_id(standing.id), 1)
    return Redemption.get_by_id(standing.id)


def _news(standing: Redemption, use: Use) -> dict[str, Any]:
    """Return what a use says of its sale and the one that stands does not know."""
    return {
        name: getattr(use, name)
        for name, empty in _OF_SALE.items()
        if getattr(standing, name) == empty != getattr(use, name)
    }


def _with_discount(
    news: dict[str, Any], standing: Redemption, terms: Terms, use: Use
) -> dict[str, Any]:
    """Return the news with the discounts that follow, without amounts that none follows from."""
    known = {name: news.get(name, getattr(standing, name)) for name in _AMOUNTS}
    try:
        off = use_rules.discount(terms, replace(use, **known))
    except Refused:  # it does not say what is bought, or other things than the first request
        off = None
    if off is None:
        return {name: value for name, value in news.items() if name not in _AMOUNTS}
    if "amount" in news or standing.discount is None:
        return news | {"discount": off.price, "setup_discount": off.setup}
    return news | ({"setup_discount": off.setup} if "setup_amount" in news else {})


_of_order = Prepared(
    lambda: (
        Redemption.select()
        .where(
            Redemption.coupon_id == slot("coupon_id"),
            Redemption.order_id == slot("order_id"),
            Redemption.state == USED,
            *(
                column.in_([0, slot(column.name)]) | (slot(column.name) == 0)
                for column in (Redemption.account_id, Redemption.invoice_id)
            ),
        )
        .order_by(Redemption.id)
        .limit(1)
    )
)
