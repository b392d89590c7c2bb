"""Amounts: Decimal from end to end, rounded half-up to the currency's places."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

PERCENT = "percent"
PRICE, SETUP_FEE, BOTH = "price", "setupfee", "both"


@dataclass(frozen=True)
class Discount:
    """Hold what a code takes off a recurring price and off a setup fee."""

    price: Decimal
    setup: Decimal

    @property
    def total(self) -> Decimal:
        """Return what is taken off altogether."""
        return self.price + self.setup


def rounded(amount: Decimal, places: int) -> Decimal:
    """Return the amount rounded half-up (away from zero) to the places of the currency."""
    return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def discount(
    kind: str, value: Decimal, applyto: str, amount: Decimal, setup_amount: Decimal, places: int
) -> Discount:
    """Return what terms take off a price and a setup fee: never more than there is.

    A percentage is taken of each part; a fixed value is taken off the price first and what is
    left of it off the setup fee. Any `applyto` but `price` and `setupfee` means both.
    """
    price = amount if applyto != SETUP_FEE else Decimal(0)
    setup = setup_amount if applyto != PRICE else Decimal(0)
    if kind == PERCENT:
        off_price, off_setup = price * value / 100, setup * value / 100
    else:
        off_price = min(value, price)
        off_setup = min(value - off_price, setup)
    return Discount(
        min(rounded(off_price, places), price),
        min(rounded(off_setup, places), setup),
    )
