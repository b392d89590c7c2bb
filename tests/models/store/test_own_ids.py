"""Ids of rows made here: from 1,000,000,000 once another installation's are in the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import config, db
from app.exchange import backup
from app.exchange.saved_answers import store_files
from models.promotions import batches, coupons, generation
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import own_ids
from models.store.base import database
from models.store.errors import Invalid
from tests import saved, stores

pytestmark = pytest.mark.usefixtures("store")


def generated(size: int) -> Batch:
    batch = batches.add("Made here", Terms.of(), prefix="P-", length=12, requested=size)
    generation.fill(batch)
    return batch


def test_until_then_rows_have_small_ids() -> None:
    assert not own_ids.reserved()
    assert (coupons.add("ONE", Terms.of()).id, batches.add("One", Terms.of()).id) == (1, 1)


def test_rows_made_after_the_mark_are_above_those_that_come_later() -> None:
    assert coupons.add("BEFORE", Terms.of()).id == 1
    own_ids.reserve()
    assert own_ids.reserved()
    assert coupons.add("ONE", Terms.of()).id == own_ids.FIRST
    # What comes under a lower id does not bring the numbers down.
    database.reserve_ids("coupon", 500)
    Coupon.create(id=500, code="THEIRS", terms=Terms.of())
    own_ids.reserve()
    assert coupons.add("TWO", Terms.of()).id == own_ids.FIRST + 1
    batch = generated(150)
    assert batch.id == own_ids.FIRST
    ids = [row.id for row in Coupon.select().where(Coupon.batch_id == batch.id)]
    assert (len(ids), min(ids)) == (150, own_ids.FIRST + 2)


def test_the_numbers_go_on_though_all_rows_were_deleted() -> None:
    own_ids.reserve()
    made = coupons.add("ONE", Terms.of())
    made.delete_instance()
    assert coupons.add("TWO", Terms.of()).id == own_ids.FIRST + 1


def test_what_was_broken_off_is_made_whole() -> None:
    database.number_above("coupon", own_ids.FIRST - 1)
    own_ids.OwnIds.create(name="coupon", first=own_ids.FIRST)
    own_ids.reserve()
    assert batches.add("One", Terms.of()).id == own_ids.FIRST
    assert own_ids.OwnIds.select().count() == 2


@pytest.mark.parametrize("kind", ["batches", "coupon", "coupons"])
def test_an_import_sets_the_mark_and_a_dry_run_does_not(kind: str, tmp_path: Path) -> None:
    payload = {
        "batches": [saved.batch(7, [saved.coupon(70, 7)])],
        "coupon": saved.details(saved.coupon(70)),
        "coupons": [saved.line(saved.coupon(70))],
    }[kind]
    file = saved.save(tmp_path / "page.json", saved.answer(kind, payload))
    store_files([file], dry_run=True)
    assert not own_ids.reserved()
    assert store_files([file]).coupons["new"] == 1
    assert coupons.add("MINE", Terms.of()).id == own_ids.FIRST
    assert batches.add("Mine", Terms.of()).id == own_ids.FIRST
    # The panel goes on: its next row has the next id of its own.
    later = saved.answer("coupons", [saved.line(saved.coupon(71))])
    store_files([saved.save(tmp_path / "later.json", later)])
    assert [row.id for row in Coupon.select().order_by(Coupon.id)] == [70, 71, own_ids.FIRST]
    assert coupons.add("MINE2", Terms.of()).id == own_ids.FIRST + 1


def test_copies_and_backups_keep_the_mark(tmp_path: Path) -> None:
    own_ids.reserve()
    first = coupons.add("MINE", Terms.of()).id
    file = tmp_path / "backup.db"
    backup.make(database.obj, file, lambda rows: None)
    with stores.session(f"sqlite:///{file}") as copied:
        assert copied.last_id("coupon") == first
    bound = db.bind(config.Settings(f"sqlite:///{file}"))
    with bound.connection_context():
        assert own_ids.reserved()
        assert batches.add("Mine", Terms.of()).id == own_ids.FIRST
    bound.close_all()


def test_no_id_is_over_what_integrations_can_read() -> None:
    for table in own_ids.TABLES:
        database.number_above(table, own_ids.LAST - 1)
    assert coupons.add("LAST", Terms.of()).id == own_ids.LAST
    last = batches.add("Last", Terms.of(), prefix="P-", requested=3)
    assert last.id == own_ids.LAST
    with pytest.raises(Invalid, match="over 2,147,483,647"):
        coupons.add("ONE", Terms.of())
    with pytest.raises(Invalid, match="over 2,147,483,647"):
        batches.add("One", Terms.of())
    with pytest.raises(Invalid, match="over 2,147,483,647"):
        generation.fill(last)
    assert [row.code for row in Coupon.select()] == ["LAST"]
    assert Batch.select().count() == 1
