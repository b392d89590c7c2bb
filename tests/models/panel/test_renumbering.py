"""Rows made here that are in the way of a panel's get new ids, with all that refers to them."""

from __future__ import annotations

from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.exchange.saved_answers import store_files
from models.campaigns import campaign_making, campaigns
from models.checks import recount
from models.imports.importing import Clash
from models.imports.records import BatchRecord, CouponRecord, TermsRecord
from models.panel.renumbering import CHUNK, REFERENCES, Moved, Obstacles
from models.promotions import batch_life, batches, coupons
from models.promotions.batches import Batch
from models.promotions.campaign_counts import CampaignBatch, Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.redemption import Redemption
from models.redemptions.services import ServiceUse
from models.redemptions.use_rules import Use
from models.store import own_ids
from models.store.base import database
from models.store.errors import Conflict, Invalid
from models.transfer.tables import tables
from tests import saved

pytestmark = pytest.mark.usefixtures("store")
TERMS = TermsRecord("line", {"value": Decimal(1)}, {}, [], whole=False)


def line(number: int, code: str) -> CouponRecord:
    return CouponRecord("page", number, code, True, 0, TERMS)


def theirs(number: int, name: str = "Theirs") -> BatchRecord:
    return BatchRecord(
        "page", number, name, True, "", 2, None, "", (TERMS,), None, [], 0, 0, 1, 1
    )  # fmt: skip


def moved(*records: Any) -> list[Moved]:
    found = Obstacles()
    found.look_at(records)
    done: list[Moved] = []
    found.move(done.extend)
    return done


def test_codes_in_the_way_get_new_ids_and_their_uses_go_along() -> None:
    mine = [coupons.add(code, Terms.of()) for code in ("ONE", "TWO", "THREE")]
    use = Use(date(2026, 1, 1), 2, client_id=5, order_id=9, account_id=8)
    redemptions.redeem(mine[1], use)
    done = moved(line(2, "THEIRS"), line(3, "THREE"), line(77, "FAR"))
    new = own_ids.FIRST
    assert done == [Moved("code", 2, "TWO", new)]
    assert [row.id for row in Coupon.select().order_by(Coupon.id)] == [1, 3, new]
    assert coupons.by_code("two").id == new
    assert [row.coupon_id for row in Redemption.select()] == [new]
    assert [row.coupon_id for row in ServiceUse.select()] == [new]
    again, is_new = redemptions.redeem(coupons.by_code("TWO"), use)
    assert (again.coupon_id, is_new) == (new, False)
    assert list(recount.differences()) == []
    assert moved(line(2, "THEIRS")) == []
    assert coupons.add("FOUR", Terms.of()).id == new + 1


def test_a_batch_is_moved_with_its_codes_and_its_campaign() -> None:
    batch = batch_life.make("Mine", Terms.of(max_usage=1), CHUNK + 3, prefix="P-", length=12)
    campaign = campaigns.add(Owner(), "spring", "Spring")
    campaign_making.join(campaign, batch.id, 5, UTC)
    first = Coupon.select().order_by(Coupon.id).get()
    redemptions.redeem(first, Use(date(2026, 1, 1), 2))
    revision = batch.revision
    taken = [line(row.id, f"X{row.id}") for row in Coupon.select().order_by(Coupon.id)]
    done = moved(theirs(batch.id), *taken)
    assert done[0] == Moved("batch", batch.id, "Mine", own_ids.FIRST)
    assert [each.new_id for each in done[1:]] == [*range(own_ids.FIRST, own_ids.FIRST + CHUNK + 3)]
    assert not Batch.select().where(Batch.id == batch.id).exists()
    after = batches.by_id(own_ids.FIRST)
    assert after.revision > revision
    assert {row.batch_id for row in Coupon.select()} == {own_ids.FIRST}
    assert Coupon.select(Coupon.code).where(Coupon.id == own_ids.FIRST).scalar() == first.code
    assert [row.batch_id for row in Redemption.select()] == [own_ids.FIRST]
    assert CampaignBatch.get_by_id(own_ids.FIRST).redeemed == 1
    assert list(recount.differences()) == []


def test_what_the_panel_brought_is_not_moved(tmp_path: Path) -> None:
    """It was renamed there, or has another name by now: it is the panel's row all the same."""
    page = saved.answer("batches", [saved.batch(7, [saved.coupon(70, 7)])])
    store_files([saved.save(tmp_path / "page.json", page)])
    assert moved(theirs(7), line(70, "RENAMED")) == []


def test_after_it_the_import_that_was_refused_goes_through(tmp_path: Path) -> None:
    batch = batch_life.make("Mine", Terms.of(), 3, prefix="P-", length=12)
    inside = [saved.coupon(number, batch.id) for number in (1, 2, 9)]
    page = saved.answer("batches", [saved.batch(batch.id, inside)])
    file = saved.save(tmp_path / "page.json", page)
    with pytest.raises(Clash, match="`promobridge panel renumber` gives it another"):
        store_files([file])
    moved(theirs(batch.id), *(line(each["id"], each["code"]) for each in inside))
    assert store_files([file]).coupons["new"] == 3
    assert Batch.get_by_id(batch.id).name == f"Spring {batch.id}"
    assert {row.id for row in Coupon.select().where(Coupon.batch_id == own_ids.FIRST)} == {
        *(3, own_ids.FIRST, own_ids.FIRST + 1)
    }
    assert list(recount.differences()) == []


def test_a_batch_that_is_being_made_is_left_alone() -> None:
    batch = batches.add("Mine", Terms.of(), prefix="P-", length=12, requested=5)
    with pytest.raises(Conflict, match="is still being made"):
        moved(theirs(batch.id))
    assert Batch.get().id == batch.id


def test_ids_that_others_took_meanwhile_are_left_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    own_ids.reserve()
    Coupon.create(id=5, code="MINE", terms=Terms.of())
    number_above = type(database.obj).number_above
    others: list[int] = []

    def late(engine: Any, table: str, last: int) -> None:
        if not others:
            others.append(coupons.add("OTHER", Terms.of()).id)
        number_above(engine, table, last)

    monkeypatch.setattr(type(database.obj), "number_above", late)
    (done,) = moved(line(5, "THEIRS"))
    assert others == [own_ids.FIRST]
    assert done.new_id is not None
    assert done.new_id > own_ids.FIRST
    assert coupons.by_code("MINE").id == done.new_id


def test_no_new_id_is_over_what_integrations_can_read() -> None:
    mine = coupons.add("MINE", Terms.of())
    database.number_above("coupon", own_ids.LAST)
    with pytest.raises(Invalid, match="over 2,147,483,647"):
        moved(line(mine.id, "THEIRS"))
    assert Coupon.get().id == mine.id


def test_every_column_that_refers_to_a_batch_or_a_code_goes_along() -> None:
    known = {
        (column.model._meta.table_name, column.column_name)
        for columns in REFERENCES.values()
        for column in columns
    }
    named = {
        (table._meta.table_name, column)
        for table in tables()
        for column in table._meta.columns
        if column in ("coupon_id", "batch_id")
    }
    assert named <= known
    assert CampaignBatch.batch_id in REFERENCES["batch"]
