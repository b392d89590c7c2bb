"""A recount of everything that the store keeps counted, with queries of its own."""

from __future__ import annotations

from collections import Counter

from models.promotions.batches import Batch
from models.promotions.coupons import ALONE, Coupon
from models.redemptions.redemption import USED, Redemption
from models.redemptions.services import ServiceUse
from models.store import counters


def assert_counts_are_right() -> None:
    """Compare every kept count with the rows that it counts."""
    held = list(Coupon.select())
    standing, services = Counter[int](), Counter[tuple[int, int]]()
    for use in Redemption.select().where(Redemption.state == USED):
        service = use.coupon_id, use.account_id
        standing[use.coupon_id] += not (use.account_id and services[service])
        services[service] += bool(use.account_id)
    kept = {(row.coupon_id, row.account_id): row.standing for row in ServiceUse.select()}
    assert Counter(kept) == services
    for coupon in held:
        assert coupon.num_usage == coupon.imported_usage + standing[coupon.id], coupon.code
        assert coupon.live in (True, None)
        assert coupon.stopped in (True, None)
        assert coupon.shelved in (True, None)
    for batch in Batch.select():
        inside = [coupon for coupon in held if coupon.batch_id == batch.id]
        assert batch.coupons_count == len(inside) + batch.carried_count
        assert batch.made == len(inside)
        assert batch.coupons_used == sum(coupon.num_usage for coupon in inside) + batch.carried_used
    assert counters.count(counters.BATCHES) == Batch.select().count()
    assert counters.count(counters.COUPONS) == len(held)
    assert counters.count(counters.SINGLE_COUPONS) == sum(
        coupon.batch_id == ALONE for coupon in held
    )
    for redemption in Redemption.select():
        assert redemption.invoice_slot == (
            (redemption.invoice_id or None) if redemption.state == USED else None
        )
