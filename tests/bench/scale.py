"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Say how much is measured, and whether a missed target counts."""

    rounds: int
    seconds: float
    generated: int
    batches: int
    coupons: int
    coupons_each: int
    warm_seconds: float = 2
    judged: bool = True


SIZES = {
    "smoke": Scale(1, 0.2, 2000, 300, 10_000, 200, warm_seconds=0, judged=False),
    "usual": Scale(3, 3, 200_000, 20_000, 1_000_000, 10_000),
    "full": Scale(5, 5, 1_000_000, 200_000, 10_000_000, 10_000),
}
