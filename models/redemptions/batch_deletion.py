"""Deletion of a batch: refused while uses of its codes stand."""

from __future__ import annotations

from models.promotions import campaign_counts, event_facts
from models.promotions.batch_life import Check, lock_with_coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.redemptions.redemption import any_standing
from models.store import audit, counters
from models.store.base import change, retried
from models.store.errors import Conflict
from models.webhooks.webhooks import BATCH_ARCHIVED


@retried
def delete(batch_id: int, check: Check | None = None) -> Batch:
    """Delete a batch with its coupons; the rows of their uses stay.

    `check` is asked first, with the batch held. Raises NotFound, and Conflict for a batch that has
    uses and is not archived.
    """
    with change():
        batch = lock_with_coupons(batch_id)
        if check is not None:
            check(batch)
        if batch.live and (batch.coupons_used or any_standing(batch_id)):
            raise Conflict("The batch has codes that were used: archive it first", "batch_in_use")
        if campaign_counts.campaign_of(batch_id) is not None:  # its totals count on the batch
            raise Conflict(
                "The batch belongs to a campaign: archive it instead", "batch_in_campaign"
            )
        more = {"codes": batch.coupons_count, "how": "deleted"}
        event_facts.tell_of_batch(BATCH_ARCHIVED, batch_id, batch.realm, more)
        gone = Coupon.delete().where(Coupon.batch_id == batch_id).execute()
        batch.delete_instance()
        audit.note("deleted", "batch", batch_id, batch.name, before={"codes": gone})
        counters.add(counters.COUPONS, -gone)
        counters.add(counters.BATCHES, -1)
    return batch
