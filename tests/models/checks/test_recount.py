"""A recount names every kept value that is not what its rows say, and nothing else."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from models.access import usage
from models.access.usage import ApiUsage, Entry
from models.checks import recount
from models.checks.recount import Difference, differences
from models.promotions import batch_life, coupon_life, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import batch_deletion, redemptions, releases
from models.redemptions.redemption import RELEASED, Redemption
from models.redemptions.use_rules import Use
from models.store import counters, idempotency
from models.store.counters import Tally
from models.store.idempotency import KeptReply, Reply, ReplyShare

TODAY = date(2026, 1, 10)

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def used() -> Redemption:
    """Return a use on an invoice of the first of a batch's three codes, which is then used up."""
    terms = Terms.of(value=Decimal(5), max_usage=1, coupon_type="invoice")
    batch = batch_life.make("Spring", terms, 3)
    coupons.add("ALONE", Terms.of())
    usage.write([Entry(1, "listPromoCodes", "", "", False, "")])
    first = Coupon.get(Coupon.batch_id == batch.id)
    redemption, _ = redemptions.redeem(first, Use(TODAY, 2, invoice_id=9))
    return redemption


def found() -> list[Difference]:
    return list(differences())


def test_a_store_that_is_right_has_no_differences(used: Redemption) -> None:
    assert found() == []
    releases.release(used.id, TODAY)
    coupon_life.delete(used.coupon_id)
    assert found() == []


def test_an_empty_store_is_right() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("table", "changes", "expected"),
    [
        (Batch, {"coupons_count": 4}, Difference("batch 1 coupons_count", 4, 3)),
        (Batch, {"coupons_count": 4, "carried_count": 1}, None),
        (Batch, {"coupons_used": 0}, Difference("batch 1 coupons_used", 0, 1)),
        (Batch, {"coupons_used": 6, "carried_used": 5}, None),
        (Batch, {"carried_used": -1}, Difference("batch 1 coupons_used", 1, 0)),
        (Batch, {"made": 2}, Difference("batch 1 made", 2, 3)),
        (Redemption, {"invoice_slot": None}, Difference("redemption 1 invoice_slot", None, 9)),
        (Redemption, {"invoice_slot": 8}, Difference("redemption 1 invoice_slot", 8, 9)),
        (Redemption, {"invoice_id": 0}, Difference("redemption 1 invoice_slot", 9, None)),
        (Redemption, {"invoice_id": 0, "invoice_slot": None}, None),
    ],
)
def test_names_what_is_kept_wrong(
    used: Redemption, table: type[Any], changes: dict[str, Any], expected: Difference | None
) -> None:
    table.update(**changes).execute()
    assert found() == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("changes", "kept", "counted"),
    [({"num_usage": 0}, 0, 1), ({"imported_usage": 2}, 1, 3)],
)
def test_names_a_coupon_whose_uses_are_wrong(
    used: Redemption, changes: dict[str, int], kept: int, counted: int
) -> None:
    Coupon.update(**changes).where(Coupon.id == used.coupon_id).execute()
    what = f"coupon {used.coupon_id} {used.code!r} num_usage"
    assert Difference(what, kept, counted) in found()


def test_a_released_use_is_none(used: Redemption) -> None:
    Redemption.update(state=RELEASED, invoice_slot=None).execute()
    what = f"coupon {used.coupon_id} {used.code!r} num_usage"
    day = f"sum of batch {used.batch_id} on {used.day}"
    assert {*found()} >= {Difference(what, 1, 0), Difference(day, (1, 0), (0, 0))}
    Redemption.update(invoice_slot=9).execute()
    assert Difference("redemption 1 invoice_slot", 9, None) in found()


def test_names_a_used_up_code_that_is_active(used: Redemption) -> None:
    Coupon.update(active=True).execute()
    what = f"coupon {used.coupon_id} {used.code!r} active"
    assert found() == [Difference(what, True, False)]


def test_a_code_that_came_used_up_and_active_is_right() -> None:
    coupon = coupons.add("CAME", Terms.of(max_usage=2))
    Coupon.update(num_usage=2, imported_usage=2).where(Coupon.id == coupon.id).execute()
    assert found() == []


def test_a_use_of_a_deleted_code_is_history_only(used: Redemption) -> None:
    batch_life.edit(1, TODAY, live=False)
    batch_deletion.delete(1)
    assert Redemption.select().count() == 1
    assert found() == []


@pytest.mark.parametrize("name", recount.LISTS)
def test_names_each_tally_that_is_wrong(used: Redemption, name: str) -> None:
    right = counters.count(name)
    Tally.update(n=Tally.n + 1).where(Tally.name == name).execute()
    assert found() == [Difference(f"tally {name}", right + 1, right)]


def test_names_bytes_of_replies_that_are_counted_wrong() -> None:
    idempotency.once("redeem a1", "key", "digest", lambda: Reply(b"12345"))
    (share,) = ReplyShare.select()
    assert (share.size, found()) == (5, [])
    what = f"reply share {share.name} size"
    ReplyShare.update(size=7).execute()
    assert found() == [Difference(what, 7, 5)]
    ReplyShare.delete().execute()
    assert found() == [Difference(what, 0, 5)]
    KeptReply.update(share=None).execute()  # as an earlier version has kept it
    assert found() == []


def test_every_tally_is_recounted() -> None:
    assert {row.name for row in Tally.select()} == recount.LISTS.keys()


@pytest.mark.parametrize("rows", [1, 2, 3, 1000])
def test_slices_leave_nothing_out(
    monkeypatch: pytest.MonkeyPatch, used: Redemption, rows: int
) -> None:
    monkeypatch.setattr(recount, "ROWS", rows)
    monkeypatch.setattr(recount, "BATCHES", rows)
    for _ in range(4):
        batch_life.make("More", Terms.of(), 2)
    Coupon.delete().where(Coupon.id == 6).execute()  # a gap, and a batch that is short of one
    Coupon.update(num_usage=5).execute()
    Batch.update(made=9).execute()
    ApiUsage.delete().execute()
    names = [each.what.split()[0] + each.what.split()[-1] for each in found()]
    assert names.count("couponnum_usage") == Coupon.select().count() == 11
    assert names.count("batchmade") == names.count("batchcoupons_used") == 5
    assert names.count("batchcoupons_count") == 1
    assert names.count("tallyapi_usage") == names.count("tallycoupons") == 1


def test_progress_is_told_of_all_rows(used: Redemption) -> None:
    told: list[int] = []
    list(differences(told.append))
    assert sum(told) >= recount.size() == 9
