"""Records of an import: what a saved answer says of a coupon or a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from models.promotions.terms import tidy
from models.redemptions.money import rounded


@dataclass(frozen=True, eq=False)
class TermsRecord:
    """Hold what one kind of answer says about terms; records with equal terms share one.

    `decimals` are those that the answer rounds amounts to, by field, if it shows no more. `extra`
    is what the answer says beyond the known fields and is kept under the name of its `shape`.
    """

    shape: str
    values: Mapping[str, Any]
    decimals: Mapping[str, int]
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
        if name not in self.decimals:
            return False
        places = max(self.decimals[name], -int(value.as_tuple().exponent))
        return rounded(known, places) == value


@dataclass(frozen=True)
class CouponRecord:
    """Hold one coupon of an answer; what is None the answer does not say.

    `place` is the file and where in it the coupon stands, for refusals.
    """

    place: str
    id: int
    code: str
    live: bool | None
    num_usage: int
    terms: TermsRecord
    batch_id: int | None = None
    active: bool | None = None


@dataclass(frozen=True)
class BatchRecord:
    """Hold one batch of an answer with its coupons; `place` is as in a coupon.

    Later `terms` go over earlier ones. `config` is None where the terms say it already, `length`
    where no code tells it. The counts are the ones that the answer gives. Times are Unix seconds.
    """

    place: str
    id: int
    name: str
    live: bool | None
    prefix: str
    complexity: int
    length: int | None
    notes: str
    terms: tuple[TermsRecord, ...]
    config: Any
    coupons: Sequence[CouponRecord]
    coupons_count: int
    coupons_used: int
    created_at: int | None
    updated_at: int | None
