"""Batches are made, grown, edited, archived, made live again and deleted, whole or not at all."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.promotions import batch_life, batches, coupon_life, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import REPEAT, Terms
from models.redemptions import batch_deletion, redemptions, releases
from models.redemptions.redemption import RELEASED, Redemption
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.base import database
from models.store.errors import Conflict, Invalid, NotFound
from tests.recount import assert_counts_are_right
from tests.terms import but

TODAY = date(2026, 5, 5)
YESTERDAY = TODAY - timedelta(days=1)
CART = Use(today=TODAY, places=2)

pytestmark = pytest.mark.usefixtures("store")


def make(size: int = 4, **terms: Any) -> Batch:
    batch = batch_life.make("Batch", Terms.of(**terms), size, prefix="B-")
    assert_counts_are_right()
    return batch


def inside(batch: Batch) -> list[Coupon]:
    return list(Coupon.select().where(Coupon.batch_id == batch.id).order_by(Coupon.id))


def edit(batch: Batch, **changes: Any) -> Batch:
    """Edit a batch, having looked that its counts stay and its revision rises by one."""
    before = batches.by_id(batch.id)
    after = batch_life.edit(batch.id, TODAY, **changes)
    assert_counts_are_right()
    assert after.__data__ == batches.by_id(batch.id).__data__
    assert after.revision == before.revision + 1
    assert (after.coupons_count, after.coupons_used) == (before.coupons_count, before.coupons_used)
    return after


def dump() -> list[Any]:
    """Return all rows of the store that a refused change must leave."""
    tables = ("batch", "coupon", "terms", "redemption", "tally")
    return [database.execute_sql(f"select * from {name}").fetchall() for name in tables]  # noqa: S608  # our own names


def test_a_batch_is_made_with_exactly_its_codes() -> None:
    batch = make(1000)
    codes = Counter(coupon.code for coupon in inside(batch))
    assert len(codes) == 1000
    assert all(code.startswith("B-") and len(code) == 14 for code in codes)
    assert (batch.made, batch.requested, batch.coupons_count) == (1000, 1000, 1000)


def test_a_batch_that_cannot_be_filled_is_not_made() -> None:
    coupons.add("C1", Terms.of())
    before = dump()
    with pytest.raises(Conflict):
        batch_life.make("Batch", Terms.of(), 10, prefix="C", complexity=5, length=1)
    assert dump() == before


def test_a_batch_grows_by_exactly_so_many_codes() -> None:
    batch = make(3)
    old = {coupon.id for coupon in inside(batch)}
    grown = batch_life.grow(batch.id, 500, TODAY)
    assert_counts_are_right()
    assert (grown.made, grown.requested, grown.coupons_count) == (503, 503, 503)
    assert grown.revision > batch.revision
    assert old < {coupon.id for coupon in inside(batch)}
    assert {coupon.terms_id for coupon in inside(batch)} == {batch.terms_id}


def spoil_room(batch: Batch) -> None:
    Batch.update(length=4).execute()


def spoil_status(batch: Batch) -> None:
    batch_life.edit(batch.id, TODAY, live=False)


def spoil_day(batch: Batch) -> None:
    batch_life.edit(batch.id, TODAY, terms=lambda old: but(old, expires=YESTERDAY))


def spoil_making(batch: Batch) -> None:
    Batch.update(requested=100).execute()


@pytest.mark.parametrize(
    ("spoil", "problem", "key"),
    [
        (spoil_room, Invalid, "invalid"),
        (spoil_status, Conflict, "batch_archived"),
        (spoil_day, Conflict, "batch_expired"),
        (spoil_making, Conflict, "batch_unfinished"),
    ],
)
def test_a_batch_that_cannot_grow_is_left_as_it_is(
    spoil: Any, problem: type[Exception], key: str
) -> None:
    batch = make()
    spoil(batch)
    before = dump()
    with pytest.raises(problem) as raised:
        batch_life.grow(batch.id, 5, TODAY)
    assert raised.value.key == key  # type: ignore[attr-defined]  # both kinds have one
    assert dump() == before


def test_what_a_batch_is_called_changes_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = make()
    monkeypatch.setattr(clock, "now", lambda: 2_000_000_000)
    after = edit(batch, name="New name", notes="Notes", prefix="NEW-")
    assert after.__data__ == batch.__data__ | {
        "name": "New name",
        "notes": "Notes",
        "prefix": "NEW-",
        "revision": batch.revision + 1,
        "updated_at": 2_000_000_000,
    }
    assert all(coupon.code.startswith("B-") for coupon in inside(batch))
    batch_life.grow(batch.id, 2, TODAY)
    assert [coupon.code[:2] for coupon in inside(batch)] == ["B-"] * 4 + ["NE"] * 2


def test_a_prefix_that_leaves_codes_no_room_is_refused() -> None:
    batch = make()
    edit(batch, prefix="x" * 20)
    before = dump()
    with pytest.raises(Invalid):
        batch_life.edit(batch.id, TODAY, prefix="x" * 21, name="Other")
    assert dump() == before


def test_new_terms_reach_the_coupons_that_carry_the_old_ones() -> None:
    batch = make(value=Decimal(10))
    own, *others = inside(batch)
    coupon_life.edit(own.id, TODAY, terms=lambda old: but(old, value=Decimal(50)))
    after = edit(batch, terms=lambda old: but(old, value=Decimal(20), max_usage=1))
    assert (after.terms.value, after.terms.max_usage) == (20, 1)
    assert {coupons.by_id(other.id).terms_id for other in others} == {after.terms_id}
    kept = coupons.by_id(own.id).terms
    assert (kept.value, kept.max_usage) == (50, 0)


def test_new_terms_end_codes_and_bring_them_back() -> None:
    batch = make()
    used, stopped, *_ = inside(batch)
    coupon_life.edit(stopped.id, TODAY, active=False)
    for _ in range(2):
        redemptions.redeem(coupons.by_id(used.id), CART)

    def active() -> list[bool]:
        return [coupon.active for coupon in inside(batch)]

    edit(batch, terms=lambda old: but(old, max_usage=2))
    assert active() == [False, False, True, True]
    edit(batch, terms=lambda old: but(old, max_usage=3))
    assert active() == [True, False, True, True]
    edit(batch, terms=lambda old: but(old, expires=YESTERDAY))
    assert active() == [False, False, False, False]
    edit(batch, terms=lambda old: but(old, expires=TODAY))
    assert active() == [True, False, True, True]


def test_an_imported_configuration_is_asked_what_it_becomes() -> None:
    batch = make(value=Decimal(10))
    Batch.update(config={"strange": 1}).execute()
    asked = []

    def config(before: Any, old: Terms, new: Terms) -> Any:
        asked.append((old.value, new.value))
        return before | {"value": str(new.value)}

    after = edit(batch, terms=lambda old: but(old, value=Decimal(20)), config=config)
    assert asked == [(10, 20)]
    assert after.config == {"strange": 1, "value": "20"}
    edit(batch, terms=lambda old: but(old, value=Decimal(20)), config=config)
    assert len(asked) == 1


def test_terms_that_are_refused_undo_the_whole_change() -> None:
    batch = make()
    before = dump()

    def refuse(old: Terms) -> Terms:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # it is our own, raised just above
        batch_life.edit(batch.id, TODAY, terms=refuse, live=False, name="Other")
    assert dump() == before


def test_an_archived_batch_takes_its_codes_along_and_brings_them_back() -> None:
    batch = make()
    alone, stopped, used, free = inside(batch)
    coupon_life.edit(alone.id, TODAY, live=False)
    coupon_life.edit(stopped.id, TODAY, active=False)
    redemptions.redeem(used, CART)
    assert not edit(batch, live=False).live
    assert {coupon.live for coupon in inside(batch)} == {None}
    assert coupons.add(free.code, Terms.of()).id  # its code is free now
    coupon_life.delete(coupons.by_code(free.code).id)

    assert edit(batch, live=True).live
    assert [coupon.live for coupon in inside(batch)] == [None, True, True, True]
    assert [coupon.active for coupon in inside(batch)] == [True, False, True, True]
    edit(batch, live=True)
    assert [coupon.live for coupon in inside(batch)] == [None, True, True, True]
    edit(batch, live=False)
    edit(batch, live=False)
    assert {coupon.live for coupon in inside(batch)} == {None}
    coupon_life.edit(alone.id, TODAY, active=True)
    coupon_life.edit(used.id, TODAY, live=False)
    edit(batch, live=True)
    assert [coupon.live for coupon in inside(batch)] == [None, True, None, True]
    coupon_life.edit(used.id, TODAY, live=True)
    edit(batch, live=False)
    edit(batch, live=True)
    assert [coupon.live for coupon in inside(batch)] == [None, True, True, True]


def test_codes_that_came_archived_stay_so_whatever_happens_to_their_batch() -> None:
    batch = make()
    first, *_ = inside(batch)
    Coupon.update(live=None).where(Coupon.id == first.id).execute()
    for live in (True, False, True):
        edit(batch, live=live)
    assert [coupon.live for coupon in inside(batch)] == [None, True, True, True]


def test_a_code_that_an_import_made_live_goes_with_its_batch_again() -> None:
    batch = make()
    first, *_ = inside(batch)
    coupon_life.edit(first.id, TODAY, live=False)
    Coupon.update(live=True).where(Coupon.id == first.id).execute()
    edit(batch, live=False)
    edit(batch, live=True)
    assert [coupon.live for coupon in inside(batch)] == [True] * 4


def test_codes_that_expired_in_the_archive_are_live_but_not_active() -> None:
    batch = make(expires=TODAY)
    own, *_ = inside(batch)
    coupon_life.edit(own.id, TODAY, terms=lambda old: but(old, expires=None))
    edit(batch, live=False)
    batch_life.edit(batch.id, TODAY + timedelta(days=1), live=True)
    assert [coupon.live for coupon in inside(batch)] == [True] * 4
    assert [coupon.active for coupon in inside(batch)] == [True, False, False, False]


def test_a_batch_whose_code_is_live_elsewhere_stays_archived() -> None:
    batch = make()
    first, *_ = inside(batch)
    edit(batch, live=False)
    other = coupons.add(first.code, Terms.of())
    before = dump()
    with pytest.raises(Conflict) as problem:
        batch_life.edit(batch.id, TODAY, live=True, name="Other")
    assert problem.value.key == "code_exists"
    assert dump() == before
    coupon_life.delete(other.id)
    edit(batch, live=True)


def test_an_imported_repeat_in_an_archived_batch_does_not_stand_in_the_way() -> None:
    batch = make()
    first, *_ = inside(batch)
    coupons.add("REPEATED", Terms.of())
    Coupon.update(
        code="REPEATED", live=None, terms=Terms.of(extra={REPEAT: [True], "line": [["", "a", 1]]})
    ).where(Coupon.id == first.id).execute()
    edit(batch, live=False)
    assert coupons.by_id(first.id).terms.extra == {"line": [["", "a", 1]]}
    edit(batch, live=True)
    assert [coupon.live for coupon in inside(batch)] == [None, True, True, True]


def test_a_batch_is_deleted_with_its_codes() -> None:
    batch, other = make(), make(2)
    deleted = batch_deletion.delete(batch.id)
    assert deleted.name == "Batch"
    assert_counts_are_right()
    assert [held.id for held in Batch.select()] == [other.id]
    assert Coupon.select().count() == 2
    with pytest.raises(NotFound):
        batch_deletion.delete(batch.id)
    assert make().id > other.id


def test_a_batch_that_has_uses_is_deleted_only_from_the_archive() -> None:
    batch = make()
    first, *_ = inside(batch)
    made, _ = redemptions.redeem(first, CART)

    def refused() -> None:
        before = dump()
        with pytest.raises(Conflict) as problem:
            batch_deletion.delete(batch.id)
        assert problem.value.key == "batch_in_use"
        assert dump() == before

    refused()
    coupon_life.delete(first.id)
    refused()  # the use stands, though its code is gone
    edit(batch, live=False)
    batch_deletion.delete(batch.id)
    assert_counts_are_right()
    assert [kept.id for kept in Redemption.select()] == [made.id]
    releases.release(made.id, TODAY)
    assert_counts_are_right()


def test_a_batch_whose_uses_were_released_is_deleted_at_once() -> None:
    batch = make()
    made, _ = redemptions.redeem(inside(batch)[0], CART)
    releases.release(made.id, TODAY)
    batch_deletion.delete(batch.id)
    assert_counts_are_right()
    assert Batch.get_or_none(Batch.id == batch.id) is None
    assert inside(batch) == []
    assert [(kept.id, kept.state) for kept in Redemption.select()] == [(made.id, RELEASED)]


def test_a_batch_with_imported_uses_is_deleted_only_from_the_archive() -> None:
    batch = make()
    Batch.update(carried_used=2, coupons_used=2).execute()
    with pytest.raises(Conflict):
        batch_deletion.delete(batch.id)
    assert len(inside(batch)) == 4
    edit(batch, live=False)
    batch_deletion.delete(batch.id)
    assert_counts_are_right()
    assert Batch.get_or_none(Batch.id == batch.id) is None
    assert inside(batch) == []


@pytest.mark.parametrize("change", [batch_deletion.delete, None])
def test_a_batch_that_is_not_there_is_not_found(change: Any) -> None:
    with pytest.raises(NotFound):
        change(7) if change else batch_life.edit(7, TODAY, name="Other")
    with pytest.raises(NotFound):
        batch_life.grow(7, 1, TODAY)


def test_a_check_refuses_with_the_batch_held() -> None:
    batch = make()
    rows, seen = dump(), []

    def refuse(held: Batch) -> None:
        seen.append((held.id, held.revision, database.in_transaction()))
        raise Conflict("It is not as it was")

    for run in (
        lambda: batch_life.edit(batch.id, TODAY, live=False, name="Other", check=refuse),
        lambda: batch_deletion.delete(batch.id, refuse),
    ):
        with pytest.raises(Conflict, match="as it was"):
            run()
    # The row is this transaction's by then: it has been changed already.
    assert seen == [(batch.id, batch.revision + 1, True)] * 2
    assert dump() == rows
