"""generatePromoCodes."""

from calls import Answer, Caller, WrongParameters, call
from calls.wire import batch_arguments, editing, ids
from models.promotions import batch_life
from models.store.errors import Invalid


class Arguments(ids.BatchIdParams):
    """Name the batch and say how many codes it gets."""

    size = batch_arguments.Size()


@call("generatePromoCodes", params=Arguments, writes=True, extension=True)
def generate_promo_codes(caller: Caller, id: int, size: int) -> Answer:
    """Make more codes in a batch, all or none."""
    try:
        batch = batch_life.grow(id, size, caller.today)
    except Invalid:
        reason = "the codes of this batch leave too little room for so many"
        raise WrongParameters.of({"size": [reason]}) from None
    return Answer(editing.counts(batch), info=(f"{size} promotion codes created",))
