"""List redemptions, newest first, filtered."""

from __future__ import annotations

from functools import cache
from typing import Any

from peewee import fn

from models.promotions.coupons import Coupon
from models.redemptions.redemption import USED, Redemption
from models.store import visibility
from models.store.prepared import PagedQuery, Prepared, slot

CONDITIONS = {
    "code": Redemption.code == slot("code"),
    "batch_id": Redemption.batch_id == slot("batch_id"),
    "client_id": Redemption.client_id == slot("client_id"),
    "invoice_id": Redemption.invoice_id == slot("invoice_id"),
    "since": Redemption.redeemed_at >= slot("since"),
    "before": Redemption.redeemed_at < slot("before"),
}
"""What the log can be narrowed down by; `since` and `before` are Unix seconds."""


def total(**wanted: Any) -> int:
    """Return how many redemptions meet the CONDITIONS that are named."""
    count, _ = _queries(frozenset(wanted))
    return count.rows(**wanted)[0][0]


def newest(page: int, per_page: int, total: int, **wanted: Any) -> list[Redemption]:
    """Return a page, counted from 0, of the `total` redemptions that meet the CONDITIONS."""
    _, listing = _queries(frozenset(wanted))
    found = listing.page(total, page, per_page, **wanted)
    return [Redemption.of_row(row) for row in found.rows()]


def of_coupon(coupon_id: int, most: int) -> list[Redemption]:
    """Return the newest redemptions of a coupon of any realm, so many at most."""
    query = Redemption.select().where(Redemption.coupon_id == coupon_id)
    return list(query.order_by(Redemption.id.desc()).limit(most))


def last_uses(batch_id: int, first: int, last: int) -> dict[int, int]:
    """Return when coupons of a batch were last used, in Unix seconds by their ids.

    Of those from the `first` id to the `last`, where a use stands.
    """
    query: Any = (
        Redemption.select(Redemption.coupon_id, fn.MAX(Redemption.redeemed_at))
        .join(Coupon, on=(Coupon.id == Redemption.coupon_id))
        .where(
            Coupon.batch_id == batch_id,
            Coupon.id.between(first, last),
            Redemption.state == USED,
        )
        .group_by(Redemption.coupon_id)
    )
    return dict(query.tuples())


@cache
def _queries(names: frozenset[str]) -> tuple[Prepared, PagedQuery]:
    """Return what counts and what lists the redemptions that meet these CONDITIONS."""
    # With a condition, its index is the narrow one, not that of the realm.
    realm = Redemption.realm + 0 if names else Redemption.realm
    which = realm == visibility.LEGACY, *(CONDITIONS[name] for name in names)
    return (
        Prepared(lambda: Redemption.select(fn.COUNT(Redemption.id)).where(*which)),
        PagedQuery(lambda: Redemption.select().where(*which), Redemption.id),
    )
