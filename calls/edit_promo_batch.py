"""editPromoBatch."""

from typing import Any

from calls import Answer, Caller, call
from calls.wire import batch_arguments, editing, ids, schemas, terms_fields
from models.promotions import batch_life, batches

OWN = ("name", "notes", "prefix")


class Arguments(editing.TermsChange, batch_arguments.NameParams, ids.BatchIdParams):
    """Name the batch and say what changes; a prefix is that of future codes."""

    always = frozenset({"id"})

    status = terms_fields.Status(description="Archived puts the batch and its coupons away.")


@call("editPromoBatch", params=Arguments, writes=True, extension=True)
def edit_promo_batch(caller: Caller, id: int, status: str | None = None, **given: Any) -> Answer:
    """Change a batch and those of its coupons that have no terms of their own."""
    before = batches.by_id(id)
    with caller.lookup_guard():
        batch = batch_life.edit(
            id,
            caller.today,
            zone=caller.zone,
            terms=editing.revising(given),
            config=editing.config_after,
            live=None if status is None else status == schemas.ACTIVE,
            **{name: given[name] for name in OWN if name in given},
        )
    info = editing.unchanged(before, batch) or ("The batch has been changed",)
    return Answer(editing.counts(batch), info=info)
