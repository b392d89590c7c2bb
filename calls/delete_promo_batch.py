"""deletePromoBatch."""

from calls import Answer, Caller, Params, call
from calls.wire import use_arguments
from models.redemptions import batch_deletion


class Arguments(Params):
    """Name the batch."""

    id = use_arguments.Id(required=True)


@call("deletePromoBatch", params=Arguments, extension=True, writes=True)
def delete_promo_batch(caller: Caller, id: int) -> Answer:
    """Delete a batch with its coupons; one that has uses must be archived first."""
    batch = batch_deletion.delete(id)
    return Answer({"batch_id": str(batch.id)}, info=("The batch has been deleted",))
