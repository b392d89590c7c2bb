"""Add or change the rows of imported batches once their coupons are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from peewee import fn

from models.imports.records import BatchRecord, CouponRecord, Offer, Outcome, equal, same
from models.promotions import batches, campaign_counts
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import clock, counters
from models.store.base import database, locked


def put(
    record: BatchRecord,
    coupons: Sequence[CouponRecord],
    grown: Counter[str] | None,
    zone: tzinfo,
) -> Outcome:
    """Store a batch, whose coupons are stored already.

    `grown` is what they changed in its counts, None where none of them did. Its last day ends in
    the zone.
    """
    stored = locked(Batch.select().where(Batch.id == record.id)).first()
    # The last of a coupon that is listed twice is the one that is stored.
    listed = {coupon.id: coupon.num_usage for coupon in coupons}
    columns = {
        "name": record.name,
        "live": record.live,
        "prefix": record.prefix,
        "complexity": record.complexity,
        "notes": record.notes,
        "config": record.config,
        "terms_id": _terms_id(record.offers, stored),
        "carried_count": record.coupons_count - len(listed),
        "carried_used": record.coupons_used - sum(listed.values()),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }
    if record.length:
        columns["length"] = record.length
    if stored is None:
        _add(record.id, columns)
        return "new"
    if columns["terms_id"] != stored.terms_id:
        last_day = Terms.numbered(columns["terms_id"]).expires
        campaign_counts.end_after(record.id, last_day, zone)
    return _change(stored, columns, grown)


def _terms_id(offers: Sequence[Offer], stored: Batch | None) -> int:
    before = after = stored.terms.content() if stored else Terms().content()
    for offer in offers:
        after = offer.over(after)
    return stored.terms_id if stored and same(before, after) else Terms.of(**after).id


def _add(batch_id: int, columns: Mapping[str, Any]) -> None:
    """Add a batch, counting the coupons of it that the store has by now."""
    sums = fn.COUNT(Coupon.id), fn.COALESCE(fn.SUM(Coupon.num_usage), 0)
    rows: Any = Coupon.select(*sums).where(Coupon.batch_id == batch_id).tuples()
    count, used = rows.get()
    database.reserve_ids("batch", batch_id)
    Batch.create(
        id=batch_id,
        requested=count,
        made=count,
        coupons_count=count + columns["carried_count"],
        coupons_used=used + columns["carried_used"],
        # A batch with this id may have been deleted: its revisions must not come again.
        revision=clock.now(),
        **columns,
    )
    counters.add(counters.BATCHES, 1)


def _change(stored: Batch, columns: Mapping[str, Any], grown: Counter[str] | None) -> Outcome:
    """Change what differs in a batch."""
    by = grown or Counter()
    count = by["count"] + columns["carried_count"] - stored.carried_count
    used = by["used"] + columns["carried_used"] - stored.carried_used
    wanted = {
        **columns,
        "requested": stored.requested + by["count"],
        "made": stored.made + by["count"],
        "coupons_count": stored.coupons_count + count,
        "coupons_used": stored.coupons_used + used,
    }
    changes = {
        name: value for name, value in wanted.items() if not equal(getattr(stored, name), value)
    }
    if changes or grown is not None:
        batches.bump(stored.id, **changes)
    return "changed" if changes else "unchanged"
