"""editPromoBatch."""

from typing import Any

from calls import Answer, Caller, call, changes, php, shapes, uses
from models import batch_life

OWN = ("name", "notes", "prefix")


class Arguments(changes.TermsChange):
    """Name the batch and say what changes; a prefix is that of future codes."""

    always = frozenset({"id"})

    id = uses.Id(required=True)
    name = php.Text(required=True)
    prefix = changes.Prefix()
    status = php.Choice((shapes.ACTIVE, shapes.ARCHIVED))

    class Meta(changes.TermsChange.Meta):
        fields = ("id", "name", "prefix", *changes.TermsChange._declared_fields, "status")


@call("editPromoBatch", params=Arguments, extension=True, writes=True)
def edit_promo_batch(caller: Caller, id: int, status: str | None = None, **given: Any) -> Answer:
    """Change a batch and those of its coupons that have no terms of their own."""
    batch = batch_life.edit(
        id,
        caller.today,
        zone=caller.zone,
        terms=changes.revising(given),
        config=changes.config_after,
        live=None if status is None else status == shapes.ACTIVE,
        **{name: given[name] for name in OWN if name in given},
    )
    return Answer(changes.counts(batch), info=("The batch has been changed",))
