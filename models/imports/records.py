"""Records of an import: what a saved answer says of a coupon or a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from models.promotions.terms import HALF_KNOWN, Terms, marked, tidy
from models.redemptions.money import rounded
from models.store.base import Row


@dataclass(frozen=True, eq=False)
class TermsRecord:
    """Hold what one kind of answer says about terms; records with equal terms share one.

    `decimals` are those that the answer rounds amounts to, by field, if it shows no more. `extra`
    is what the answer says beyond the known fields and is kept under the name of its `shape`.
    `whole` tells whether the answer says all terms there are.
    """

    shape: str
    values: Mapping[str, Any]
    decimals: Mapping[str, int]
    extra: Sequence[Any]
    whole: bool = True

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


Changes = dict[str, tuple[Any, Any]]
"""What differs of a row: the old and the new value of a column."""


def assign(row: Row, values: Mapping[str, Any]) -> Changes:
    """Give a row the values that are stored otherwise; return those."""
    # As they are stored: to Python True is 1, and the order of keys is nothing.
    stored = {name: row._meta.combined[name].db_value for name in values}
    changes = {
        name: (getattr(row, name), value)
        for name, value in values.items()
        if stored[name](value) != stored[name](getattr(row, name))
    }
    for name, (_, value) in changes.items():
        setattr(row, name, value)
    return changes


def terms_with(records: Sequence[TermsRecord], terms_id: int | None, repeat: bool) -> Terms:
    """Return the stored terms, else the usual ones, with records laid over them."""
    content = (Terms() if terms_id is None else Terms.by_id(terms_id)).content()
    half_known = terms_id is None or HALF_KNOWN in content["extra"]
    for record in records:
        content = record.over(content)
        half_known = half_known and not record.whole
    return Terms.of(**marked(content, repeat=repeat, half_known=half_known))
