"""Records of an import: what a saved answer says of a coupon or batch, laid over stored terms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from models.promotions.terms import tidy
from models.redemptions.money import rounded

Outcome = Literal["new", "changed", "unchanged"]
"""Says what became of a record in the store."""


@dataclass(frozen=True, eq=False, slots=True)
class Offer:
    """Hold what one kind of answer says about terms; records with equal terms share one.

    `places` are the decimals of amounts that the answer rounds. `extra` is what the answer says
    beyond the known fields and is kept under the name of its `shape`.
    """

    shape: str
    values: Mapping[str, Any]
    places: Mapping[str, int]
    extra: Sequence[Any]

    def over(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of terms with what this says, where it says more than is known."""
        values = {
            name: value
            for name, value in self.values.items()
            if not self._is_coarse(name, value, content[name])
        }
        extra = content["extra"] | {self.shape: list(self.extra)}
        return {**content, **values, "extra": tidy(extra)}

    def _is_coarse(self, name: str, value: Any, known: Decimal) -> bool:
        return name in self.places and rounded(known, self.places[name]) == value


@dataclass(frozen=True, slots=True)
class CouponRecord:
    """Hold one coupon of an answer; what is None the answer does not say."""

    id: int
    code: str
    live: bool
    num_usage: int
    offer: Offer
    batch_id: int | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """Hold one batch of an answer.

    Later `offers` go over earlier ones. `config` is None where the terms say it already, `length`
    where no code tells it. The counts are the ones that the answer gives. Times are Unix seconds.
    """

    id: int
    name: str
    live: bool
    prefix: str
    complexity: int
    length: int | None
    notes: str
    offers: Sequence[Offer]
    config: Any
    coupons_count: int
    coupons_used: int
    created_at: int | None
    updated_at: int | None


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two contents of terms are stored alike."""
    return all(equal(value, other[name]) for name, value in one.items())


def equal(one: Any, other: Any) -> bool:
    """Tell whether two values are stored alike: to Python True is 1, and order is nothing."""
    if isinstance(one, dict | list):
        return json.dumps(one) == json.dumps(other)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
