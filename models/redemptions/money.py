"""Money: discounts as Decimal, rounded half-up to the places of the currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

PERCENT = "percent"
PRICE, SETUP_FEE, BOTH = "price", "setupfee", "both"
# Wide enough for any product of amounts: digits lost before the rounding would round twice.
EXACT = Context(prec=100)


@dataclass(frozen=True)
class Discount:
    """Hold what a code takes off a recurring price and off a setup fee."""

    price: Decimal
    setup: Decimal

    @property
    def total(self) -> Decimal:
        """Return what is taken off altogether."""
        return self.price + self.setup


def rounded(amount: Decimal, places: int, rounding: str = ROUND_HALF_UP) -> Decimal:
    """Return the amount rounded half-up (away from zero) to the places of the currency."""
    return amount.quantize(Decimal(1).scaleb(-places), rounding, EXACT)


def discount(
    kind: str, value: Decimal, applyto: str, amount: Decimal, setup_amount: Decimal, places: int
) -> Discount:
    """Return what terms take off a price and a setup fee: from nothing to all there is.

    A percentage is taken of each part; a fixed value is taken off the price first and what is
    left of it off the setup fee. Any `applyto` but `price` and `setupfee` means both.
    """
    price = amount if applyto != SETUP_FEE else Decimal(0)
    setup = setup_amount if applyto != PRICE else Decimal(0)
    if kind == PERCENT:
        return Discount(_share(price, value, places), _share(setup, value, places))
    whole = rounded(value, places)
    off_price = _within(whole, price, places)
    return Discount(off_price, _within(whole - off_price, setup, places))


def _share(part: Decimal, percent: Decimal, places: int) -> Decimal:
    off = EXACT.multiply(part, percent).scaleb(-2, EXACT)
    return _within(rounded(off, places), part, places)


def _within(off: Decimal, part: Decimal, places: int) -> Decimal:
    """Return `off` held between zero and the part, which may have more places itself."""
    return max(Decimal(0), min(off, rounded(part, places, ROUND_DOWN)))
