"""addPromoBatch."""

from datetime import date
from typing import Any

from marshmallow import ValidationError, validates, validates_schema

from calls import Answer, Caller, call
from calls.wire import batch_arguments, editing
from models.promotions import batch_life, generation
from models.promotions.coupons import CODE_LENGTH
from models.promotions.terms import Terms
from models.store import base
from models.store.errors import Invalid


class Arguments(batch_arguments.NewBatch):
    """Describe the batch and what its codes give."""

    @validates("expires")
    def _to_come(self, expires: date | None, **_: Any) -> None:
        if expires is not None and expires < self.caller.today:
            raise ValidationError("must not be in the past")

    @validates_schema(skip_on_field_errors=False)
    def _whole(self, data: dict[str, Any], **_: Any) -> None:
        problems = editing.problems(Terms(clients=""), data)  # those must be said
        if data.keys() >= {"prefix", "size", "complexity", "length"}:
            problems |= _without_room(
                data["prefix"], data["complexity"], data["length"], data["size"]
            )
        if problems:
            raise ValidationError(problems)


@call("addPromoBatch", params=Arguments, writes=True, extension=True)
@base.retried
def add_promo_batch(
    caller: Caller, name: str, prefix: str, size: int, complexity: int, length: int, **given: Any
) -> Answer:
    """Make a batch with its codes, all or none."""
    with base.change():
        batch = batch_life.make(
            name,
            editing.revised(Terms(), given),
            size,
            prefix=prefix,
            complexity=complexity,
            length=length,
            # guess: the notes given with a batch are its own and its coupons' alike.
            notes=given.get("notes", ""),
        )
    return Answer(editing.counts(batch), info=("New batch created",))


def _without_room(prefix: str, complexity: int, length: int, size: int) -> dict[str, list[str]]:
    whole = len(prefix) + length
    if whole > CODE_LENGTH:
        return {"length": [f"makes codes of {whole} characters, {CODE_LENGTH} is the most"]}
    try:
        generation.check_room(prefix, complexity, length, size, dense=False)
    except Invalid:
        return {"length": ["leaves too little room for so many codes of this complexity"]}
    return {}
