"""The kept counts of an imported batch, counted anew."""

from __future__ import annotations

from typing import Any

from peewee import Case, fn

from models.promotions import batches
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon


def counts_of(batch: Batch) -> dict[str, int]:
    """Return the counts of a batch: its coupons, and what is carried beyond them."""
    used_codes = fn.COUNT(Case(None, [(Coupon.num_usage > 0, 1)]))
    sums = fn.COUNT(Coupon.id), fn.COALESCE(fn.SUM(Coupon.num_usage), 0), used_codes
    rows: Any = Coupon.select(*sums).where(Coupon.batch_id == batch.id).tuples()
    made, used, codes_used = map(int, rows.get())
    carried_count = batches.carried(made, batch.carried_count)
    carried_used = batches.carried(used, batch.carried_used)
    return {
        "requested": batch.requested + made - batch.made,
        "made": made,
        "coupons_count": made + carried_count,
        "coupons_used": used + carried_used,
        "codes_used": codes_used,
        "carried_count": carried_count,
        "carried_used": carried_used,
    }
