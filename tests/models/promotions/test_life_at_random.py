"""Whatever happens to codes in whatever order, every kept count stays right."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from models.promotions import batch_life, coupon_life, coupons, expiry
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import batch_deletion, redemptions, releases
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Use
from models.store.errors import PromoError
from tests.recount import assert_counts_are_right
from tests.terms import but

START = date(2023, 11, 14)
STEPS = 80


class Life:
    """Do one thing after another to codes that are chosen by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311  # not a secret
        self.today = START

    def step(self) -> str:
        """Do one thing and return its name, with a mark when it was refused."""
        name = self.chance.choice(STEPS_KNOWN)
        try:
            getattr(self, name)()
        except PromoError:
            return f"{name} refused"
        return name

    def one(self, table: Any) -> int:
        """Return the id of a row that is there, or of one that never was."""
        ids = [row.id for row in table.select(table.id).order_by(table.id)]
        return int(self.chance.choice(ids)) if ids else 99_999

    def terms(self, old: Terms) -> Terms:
        """Return terms of which one thing is another."""
        name, values = self.chance.choice(
            [
                ("value", [Decimal(5), Decimal("7.5")]),
                ("max_usage", [0, 1, 2, 3]),
                ("max_client_usage", [0, 1, 2]),
                ("expires", [None, self.today, self.today - timedelta(days=1)]),
                ("coupon_type", ["cart", "invoice", "invoice_cart"]),
            ]
        )
        return but(old, **{name: self.chance.choice(values)})

    def maybe(self) -> bool | None:
        return self.chance.choice([None, True, False])

    def add_coupon(self) -> None:
        coupons.add(f"C{self.chance.randrange(12)}", self.terms(Terms()))

    def make_batch(self) -> None:
        terms = self.terms(Terms())
        if not terms.expired(self.today):
            batch_life.make("Batch", terms, self.chance.randrange(1, 5))

    def grow_batch(self) -> None:
        batch_life.grow(self.one(Batch), self.chance.randrange(1, 4), self.today)

    def edit_batch(self) -> None:
        terms = self.terms if self.chance.random() < 0.6 else None
        batch_life.edit(self.one(Batch), self.today, terms=terms, live=self.maybe())

    def delete_batch(self) -> None:
        if self.chance.random() < 0.3:
            batch_deletion.delete(self.one(Batch))

    def edit_coupon(self) -> None:
        terms = self.terms if self.chance.random() < 0.6 else None
        coupon_life.edit(
            self.one(Coupon), self.today, terms=terms, live=self.maybe(), active=self.maybe()
        )

    def delete_coupon(self) -> None:
        if self.chance.random() < 0.3:
            coupon_life.delete(self.one(Coupon))

    def redeem(self) -> None:
        use = Use(
            today=self.today,
            places=2,
            client_id=self.chance.randrange(1, 4),
            invoice_id=self.chance.choice([0, 0, 1, 2]),
            amount=Decimal(self.chance.randrange(10_000)) / 100,
        )
        coupon = coupons.by_id(self.one(Coupon))
        redemptions.redeem(coupon, replace(use, clients=self.chance.choice([None, "new"])))

    def release(self) -> None:
        releases.release(self.one(Redemption), self.today)

    def next_day(self) -> None:
        if self.chance.random() < 0.2:
            self.today += timedelta(days=1)
            expiry.expire_due(self.today)


STEPS_KNOWN = [name for name, value in vars(Life).items() if callable(value)]
STEPS_KNOWN = [
    *(set(STEPS_KNOWN) - {"__init__", "step", "one", "terms", "maybe"}),
    *["redeem"] * 6,
    *["release"] * 2,
]
STEPS_KNOWN.sort()


@pytest.mark.usefixtures("still_time", "store")
@pytest.mark.parametrize("seed", range(3))
def test_counts_stay_right(seed: int) -> None:
    life = Life(seed)
    done: Counter[str] = Counter()
    for _ in range(STEPS):
        done[life.step()] += 1
        assert_counts_are_right()
        assert_live_codes_can_be_told_apart()
        assert_no_code_that_ended_is_active(life.today)
    assert done["redeem"] > 5
    assert done["release"] > 1


def assert_live_codes_can_be_told_apart() -> None:
    live = Counter(coupon.code for coupon in Coupon.select().where(Coupon.live.is_null(False)))
    assert all(count == 1 for count in live.values())


def assert_no_code_that_ended_is_active(today: date) -> None:
    for coupon in Coupon.select().where(Coupon.live.is_null(False), Coupon.active):
        assert not coupon.stopped
        assert not coupon.terms.used_up(coupon.num_usage), coupon.code
        # A code may be added after its last day, and says then what it was added with.
        assert not (coupon.batch_id and coupon.terms.expired(today)), coupon.code
