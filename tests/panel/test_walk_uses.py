"""Writes that go through here while a walk reads the panel: counted once, and not undone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.panel import walk
from models.checks import recount
from models.panel import pending, walks
from models.promotions import coupons
from models.redemptions.redemption import USED, Redemption
from tests.panel.fronts import Front
from tests.panel.walking import Walker
from tests.waiting import wait_until

APPLY, UPDATE = "applyInvoiceCoupon", "updatePromoCode"
INVOICE = 801
SINGLE, IN_BATCH = "SINGLE000", "B6-CODE00"


def counted(front: Front, code: str) -> tuple[int, int, int]:
    """Return how often a code is used at the panel, here in all, and by standing uses here."""
    one = coupons.by_code(code)
    standing = Redemption.select().where(Redemption.state == USED, Redemption.code == code)
    return front.panel.uses(code), one.num_usage, standing.count()


@pytest.mark.parametrize("code", [SINGLE, IN_BATCH])
def test_a_use_after_a_walk_began_is_counted_once(front: Front, walking: Walker, code: str) -> None:
    walking.walk()
    before = front.panel.uses(code)
    front.route("write-through", APPLY)
    walks.begun()
    assert front.ask(APPLY, id=INVOICE, applycoupon=code)["success"]
    walking.walk()
    assert counted(front, code) == (before + 1, before + 1, 1)
    walking.walk()
    assert counted(front, code) == (before + 1, before + 1, 1)


@pytest.mark.parametrize("code", [SINGLE, IN_BATCH])
def test_a_change_after_a_walk_read_a_code_is_kept(
    front: Front, walking: Walker, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    walking.walk()
    front.route("write-through", UPDATE)
    (there,) = front.panel.rows("coupon", "code = ?", code)
    fields = {name: there[name] for name in ("id", "code", "coupon_type", "type", "value")}
    read_all = walk.Reader.read_all

    def then_changed(reader: walk.Reader) -> None:
        read_all(reader)
        with ThreadPoolExecutor(1) as pool:
            notes = {"clients": "all", "notes": "changed meanwhile"}
            assert pool.submit(front.ask, UPDATE, **fields, **notes).result(60)["success"]

    monkeypatch.setattr(walk.Reader, "read_all", then_changed)
    walking.walk()
    assert coupons.by_code(code).terms.notes == "changed meanwhile"
    assert list(recount.differences()) == []


@pytest.mark.parametrize("code", [SINGLE, IN_BATCH])
def test_a_count_is_not_taken_over_while_a_use_is_under_way(
    front: Front, walking: Walker, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell if the panel's count has it: the walk says so, and goes on afterwards."""
    walking.walk()
    before = front.panel.uses(code)
    front.route("write-through", APPLY)
    monkeypatch.setattr(walk, "READINGS", 2)
    late = front.panel.fault("late", APPLY, seconds=600)
    with ThreadPoolExecutor(1) as pool:
        use = pool.submit(front.ask, APPLY, id=INVOICE, applycoupon=code)
        wait_until(lambda: front.panel.uses(code) == before + 1)
        said = walking.stopped()
        assert said.startswith(f"{code} was being used at each of 2 readings")
        assert "`promobridge panel pending`" in said
        late.remove()
        front.panel.kill()
        use.result(60)
        front.panel.start()
    (row,) = pending.listed(2)
    assert walking.run("settle", str(row.id), "applied").exit_code == 0
    walking.walk()
    assert counted(front, code) == (before + 1, before + 1, 1)
