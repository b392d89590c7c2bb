"""Arguments that describe a batch itself: its name, and the codes that are drawn for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from marshmallow import ValidationError, post_load, validates_schema

from calls import Params, php
from calls.wire.editing import TermsChange
from calls.wire.texts import ONE_LINE, NewCode
from models.promotions import generation
from models.promotions.coupons import CODE_LENGTH

LARGEST_SIZE = 10_000
"""The most codes that one call makes."""

Size = partial(
    php.Whole,
    required=True,
    minimum=1,
    maximum=LARGEST_SIZE,
    description="How many codes to make.",
)
"""Load how many codes to make."""


class NameParams(Params):
    """Declare what a batch is called and what its codes begin with."""

    name = php.Text(required=True, validate=ONE_LINE, description="What the batch is called.")
    prefix = NewCode(load_default="", description="What every code begins with.")


class DrawnParams(NameParams):
    """Declare a batch and the codes to draw; `length` counts what follows the prefix."""

    size = Size()
    complexity = php.Whole(
        minimum=min(generation.ALPHABETS),
        maximum=max(generation.ALPHABETS),
        load_default=2,
        description=(
            "What is drawn: 1 letters of both cases and digits, 2 upper-case letters and digits, "
            "3 letters of both cases, 4 upper-case letters, 5 digits."
        ),
    )
    readable = php.Flag(
        description="Draw upper-case letters and digits without O 0 I 1 L, which look alike."
    )
    length = php.Whole(
        minimum=1,
        maximum=CODE_LENGTH,
        load_default=12,
        description="How many characters to draw, the prefix not counted.",
    )

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _drawn_one_way(self, data: dict[str, Any], original: Mapping[str, Any], **_: Any) -> None:
        if data.get("readable") and original.get("complexity") not in (None, ""):
            raise ValidationError({"complexity": ["cannot be given with readable"]})

    @post_load
    def _drawn_readably(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        readable = data.pop("readable", False)
        return data | {"complexity": generation.CLEAR} if readable else data


class NewBatch(TermsChange, DrawnParams):
    """Declare a new batch, and then what its codes give."""

    always = frozenset({*DrawnParams._declared_fields, "coupon_type", "type", "value"})
