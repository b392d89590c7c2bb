"""How much is measured: all of it, or what takes a few minutes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Say how much is measured."""

    rounds: int
    seconds: int
    generated: int = 1_000_000
    batches: int = 200_000
    coupons: int = 10_000_000
    coupons_each: int = 10_000


QUICK = Scale(2, 1, generated=100_000, batches=200_000, coupons=1_000_000, coupons_each=1000)
FULL = Scale(5, 5)
