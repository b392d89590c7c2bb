"""deletePromoBatch."""

from calls import Answer, Caller, call
from calls.wire import ids
from models.redemptions import batch_deletion


@call("deletePromoBatch", params=ids.BatchIdParams, writes=True, extension=True)
def delete_promo_batch(caller: Caller, id: int) -> Answer:
    """Delete a batch with its coupons; one that has uses must be archived first."""
    batch = batch_deletion.delete(id)
    return Answer({"batch_id": str(batch.id)}, info=("The batch has been deleted",))
