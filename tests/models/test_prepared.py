"""Lists of ids: those in a row are asked for as a range, and only what is named is found."""

from __future__ import annotations

import pytest

from models import batch_life, batches, coupons
from models.prepared import among_slots
from models.terms import Terms

pytestmark = pytest.mark.usefixtures("store")


@pytest.mark.parametrize(
    ("named", "statement"), [([2, 1, 0], 0), ([3, 1, 0], 3), ([2], 0), ([3, 0], 2)]
)
def test_only_what_is_named_is_found(named: list[int], statement: int) -> None:
    made = [batch_life.make(f"Batch {number}", Terms.of(), 2).id for number in range(4)]
    assert made == [*range(made[0], made[0] + 4)]
    ids = [made[at] for at in named]
    assert among_slots(ids)[0] == statement
    assert batches.texts(["id"], ids)[0] == [str(each) for each in ids]
    held = coupons.of_batches(["batch_id"], ids)[0]
    assert held == [str(each) for each in sorted(ids) for _ in range(2)]
