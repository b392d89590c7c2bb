"""`promobridge panel walk` over the panel: what it stores and what it tells."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from app.cli.panel_walk import COLUMNS
from app.panel.walk_storing import WalkStore
from models.checks import recount
from models.panel import walks
from models.panel.vanished import NOTHING_SEEN
from models.panel.walks import PanelAnswer
from models.promotions import coupon_life, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.use_rules import Refused, Use
from models.store import own_ids
from tests.panel.php_panel import PhpPanel
from tests.panel.seeds import BATCHES, CODES_OF_BATCH, SINGLE_CODES
from tests.panel.walking import Walker
from tests.saved import stored

USE = Use(date(2026, 1, 1), 2, client_id=5, invoice_id=7)
CODES = BATCHES * CODES_OF_BATCH + SINGLE_CODES
NOTHING = {"new": 0, "changed": 0, "vanished": 0, "refused": 0}


def counts(found: dict[str, int]) -> dict[str, int]:
    """Return what differs, of a report of one kind of rows."""
    return {name: found[name] for name in NOTHING}


def named(report: dict[str, Any], outcome: str) -> list[tuple[str, int]]:
    return [(row["kind"], row["id"]) for row in report["rows"][outcome]]


def test_a_walk_brings_all_rows_with_their_ids(walking: Walker, panel: PhpPanel) -> None:
    report = walking.walk()
    assert report["version"] == "2025.3.2"
    assert report["batches"]["read"] == report["batches"]["new"] == BATCHES
    assert report["coupons"]["read"] == report["coupons"]["new"] == CODES
    theirs = {row["id"]: row for row in panel.rows("coupon")}
    assert {row.id for row in Coupon.select()} == theirs.keys()
    for row in Coupon.select():
        panels = theirs[row.id]
        assert (row.code, row.batch_id) == (panels["code"], panels["batch_id"])
        assert (row.num_usage, bool(row.live)) == (
            panels["num_usage"],
            panels["status"] == "Active",
        )
        if row.code != "TWICE":
            assert row.terms.max_usage == panels["max_usage"]
            assert list(row.terms.products) == json.loads(panels["products"])
    assert {row.id for row in Batch.select()} == {row["id"] for row in panel.rows("batch")}
    assert list(recount.differences()) == []
    assert own_ids.reserved()
    assert coupons.add("MINE", Terms.of()).id == own_ids.FIRST


@pytest.mark.any_store
def test_each_single_code_is_asked_for_once_and_each_page_is(
    walking: Walker, panel: PhpPanel
) -> None:
    report = walking.walk()
    entries = panel.journal()
    asked = [each.arguments["code"] for each in entries if "code" in each.arguments]
    assert len(asked) == SINGLE_CODES
    assert set(asked) == {row["code"] for row in panel.rows("coupon", "batch_id = 0")}
    assert [each.call for each in entries[:2]] == ["getHostBillversion", "getAPIMethods"]
    pages = -(-BATCHES // 5) + -(-SINGLE_CODES // 25) + -(-CODES // 25)
    assert len(entries) == report["calls"] == 2 + pages + SINGLE_CODES


@pytest.mark.any_store
def test_a_second_walk_tells_nothing_and_writes_nothing(walking: Walker) -> None:
    walking.walk()
    before = stored()
    report = walking.walk()
    assert counts(report["batches"]) == counts(report["coupons"]) == NOTHING
    assert report["coupons"]["unchanged"] == CODES
    assert stored() == before
    assert not PanelAnswer.select().exists()
    assert walks.last_finished() is not None


@pytest.mark.any_store
def test_of_codes_alike_details_reach_one_and_the_other_is_named(
    walking: Walker, panel: PhpPanel
) -> None:
    old, new = (row["id"] for row in panel.rows("coupon", "code = 'TWICE'"))
    report = walking.walk()
    assert [(row["id"], row["name"], row["reason"]) for row in report["rows"]["half_known"]] == [
        (old, "TWICE", f"its code answers with the details of {new}")
    ]
    assert report["coupons"]["half_known"] == 1
    redemptions.redeem(coupons.by_code("TWICE"), USE)
    Coupon.update(live=None).where(Coupon.id == new).execute()
    Coupon.update(live=1).where(Coupon.id == old).execute()
    with pytest.raises(Refused, match="not known yet"):
        redemptions.redeem(coupons.by_id(old), USE)


def test_what_changed_is_told_by_row_and_field(walking: Walker, panel: PhpPanel) -> None:
    walking.walk()
    single = coupons.by_code("SINGLE000").id
    of_batch = coupons.by_code("B1-CODE05").id
    panel.execute("UPDATE coupon SET value = 15, expires = '2031-01-31' WHERE id = ?", single)
    panel.execute("UPDATE coupon SET status = 'Archived' WHERE id = ?", of_batch)
    panel.execute("UPDATE batch SET name = 'Spring' WHERE id = 3")
    panel.spend("SINGLE001")
    report = walking.walk("--dry-run")
    told = {(row["kind"], row["id"]): row["fields"] for row in report["rows"]["changed"]}
    assert told == {
        ("code", single): {
            "value": {"old": "10", "new": "15"},
            "expires": {"old": None, "new": "2031-01-31"},
        },
        ("code", of_batch): {"status": {"old": "Active", "new": "Archived"}},
        ("batch", 3): {"name": {"old": "Batch 3", "new": "Spring"}},
        ("code", coupons.by_code("SINGLE001").id): {"num_usage": {"old": 0, "new": 1}},
    }
    assert walking.walk()["rows"]["changed"] == report["rows"]["changed"]
    assert coupons.by_code("SINGLE000").terms.value == 15


def test_a_code_that_the_panel_renamed_is_renamed(walking: Walker, panel: PhpPanel) -> None:
    walking.walk()
    number = coupons.by_code("SINGLE000").id
    panel.execute("UPDATE coupon SET code = 'RENAMED' WHERE id = ?", number)
    panel.execute(
        "INSERT INTO coupon (code, coupon_type, type, value)"
        " VALUES ('SINGLE000', 'cart', 'fixed', 1)"
    )
    report = walking.walk()
    (changed,) = report["rows"]["changed"]
    assert changed["fields"] == {"code": {"old": "SINGLE000", "new": "RENAMED"}}
    assert coupons.by_code("renamed").id == number
    assert coupons.by_code("single000").id > number
    assert counts(walking.walk()["coupons"]) == NOTHING


def test_uses_on_both_sides_are_added_up(walking: Walker, panel: PhpPanel) -> None:
    walking.walk()
    redemptions.redeem(coupons.by_code("SINGLE000"), USE)
    panel.spend("SINGLE000")
    walking.walk()
    assert coupons.by_code("SINGLE000").num_usage == panel.uses("SINGLE000") + 1
    assert counts(walking.walk()["coupons"]) == NOTHING


def test_what_vanished_stays_until_it_is_archived(walking: Walker, panel: PhpPanel) -> None:
    walking.walk()
    single = coupons.by_code("SINGLE003").id
    panel.execute("DELETE FROM coupon WHERE id = ? OR batch_id = 2", single)
    panel.execute("DELETE FROM batch WHERE id = 2")
    mine = coupons.add("MINE", Terms.of())
    report = walking.walk()
    assert named(report, "vanished") == [("batch", 2), ("code", single)]
    assert coupons.by_id(single).live
    assert named(walking.walk("--dry-run", "--archive-missing"), "vanished") == [
        ("batch", 2),
        ("code", single),
    ]
    assert coupons.by_id(single).live
    walking.walk("--archive-missing")
    assert not coupons.by_id(single).live
    assert not Batch.get_by_id(2).live
    assert not Coupon.select().where(Coupon.batch_id == 2, Coupon.live.is_null(False)).exists()
    assert coupons.by_id(mine.id).live
    assert walking.walk()["rows"]["vanished"] == []
    assert list(recount.differences()) == []


@pytest.mark.any_store
def test_a_dry_run_tells_all_and_stores_nothing(walking: Walker) -> None:
    before = stored()
    report = walking.walk("--dry-run")
    assert report["coupons"]["new"] == CODES
    assert stored() == before
    assert not PanelAnswer.select().exists()
    assert walks.last_finished() is None
    text = walking.run("walk", "--rate", "1000", "--dry-run").stdout
    assert text.splitlines()[0].split() == [*COLUMNS]
    assert f"new: {BATCHES + CODES - 20} more (--json names 1,000)\n" in text
    assert "half_known code 299 TWICE: its code answers with the details of 300\n" in text
    assert text.endswith("Nothing was stored: this was a dry run.\n")


@pytest.mark.any_store
def test_rows_that_cannot_be_stored_are_left_out_and_named(
    walking: Walker, panel: PhpPanel
) -> None:
    taken, long = (row["id"] for row in panel.rows("coupon", "code LIKE 'SINGLE00_'")[:2])
    panel.execute("UPDATE coupon SET type = ? WHERE id = ?", "t" * 17, long)
    (inside,) = (row["id"] for row in panel.rows("coupon", "code = 'B1-CODE05'"))
    panel.execute("UPDATE coupon SET code = ? WHERE id = ?", "c" * 33, inside)
    panel.execute("UPDATE batch SET prefix = ? WHERE id = 2", "p" * 33)
    made = coupons.add("MADE-HERE", Terms.of())
    Coupon.update(id=taken).where(Coupon.id == made.id).execute()
    report = walking.walk(status=1)
    refused = {row["id"]: row["reason"] for row in report["rows"]["refused"]}
    assert refused[taken] == (
        f"the store has another code under the id {taken}; it was made here: "
        "`promobridge panel renumber` gives it another"
    )
    assert refused[long] == (
        "getPromoDetailsByCode.type: must be a JSON string of 16 characters at most"
    )
    assert refused[inside] == (
        "listPromoBatches, page 2.code: must be a JSON string of 32 characters at most"
    )
    assert refused[2] == (
        "listPromoBatches, page 2.prefix: must be a JSON string of 32 characters at most"
    )
    # The others of its batch are here, and it counts what it did there; those of batch 2 are not.
    assert report["coupons"]["new"] == CODES - 3 - CODES_OF_BATCH
    assert Batch.get_by_id(1).coupons_count == CODES_OF_BATCH
    assert Coupon.select().where(Coupon.batch_id == 1).count() == CODES_OF_BATCH - 1
    assert list(recount.differences()) == []
    assert report["coupons"]["refused"] == 3
    assert Coupon.get_by_id(taken).code == "MADE-HERE"


def test_a_code_that_came_back_under_another_id_waits_for_a_word(
    walking: Walker, panel: PhpPanel
) -> None:
    walking.walk()
    old = coupons.by_code("SINGLE000").id
    panel.execute("DELETE FROM coupon WHERE id = ?", old)
    panel.execute(
        "INSERT INTO coupon (code, coupon_type, type, value)"
        " VALUES ('SINGLE000', 'cart', 'fixed', 1)"
    )
    (new,) = (row["id"] for row in panel.rows("coupon", "code = 'SINGLE000'"))
    report = walking.walk(status=1)
    assert named(report, "vanished") == [("code", old)]
    assert [(row["id"], row["reason"]) for row in report["rows"]["refused"]] == [
        (new, f"the store has this code live under the id {old}, which is not listed as live")
    ]
    assert coupons.by_code("SINGLE000").id == old
    report = walking.walk("--archive-missing")
    assert report["coupons"]["refused"] == 0
    assert coupons.by_code("SINGLE000").id == new
    assert counts(walking.walk()["coupons"]) == NOTHING


def test_a_code_made_here_stays_the_one_that_is_live(walking: Walker, panel: PhpPanel) -> None:
    own_ids.reserve()
    mine = coupons.add("SINGLE000", Terms.of())
    for _ in range(2):
        report = walking.walk(status=1)
        (refused,) = report["rows"]["refused"]
        assert refused["reason"].endswith(f"under the id {mine.id}, which was made here")
        assert coupons.by_code("SINGLE000").id == mine.id
        redemptions.quote(coupons.by_code("Single000"), Use(date(2026, 1, 1), 2))
    coupon_life.edit(mine.id, date(2026, 1, 1), live=False)
    assert walking.walk()["coupons"]["refused"] == 0
    assert coupons.by_code("SINGLE000").id == refused["id"]


def test_codes_that_changed_places_are_where_they_are(walking: Walker, panel: PhpPanel) -> None:
    walking.walk()
    one, two, three = (coupons.by_code(f"SINGLE00{number}").id for number in range(3))
    for number, code in ((one, "SINGLE001"), (two, "SINGLE000"), (three, "B3-CODE00")):
        panel.execute("UPDATE coupon SET code = ? WHERE id = ?", code, number)
    panel.execute("UPDATE coupon SET code = 'NEW' WHERE batch_id = 3 AND code = 'B3-CODE00'")
    report = walking.walk()
    assert report["coupons"]["changed"] == 4
    assert coupons.by_code("SINGLE000").id == two
    assert coupons.by_code("SINGLE001").id == one
    assert coupons.by_code("B3-CODE00").id == three
    assert counts(walking.walk()["coupons"]) == NOTHING
    assert list(recount.differences()) == []


@pytest.mark.any_store
def test_codes_whose_batch_was_deleted_are_read_too(walking: Walker, panel: PhpPanel) -> None:
    """A panel lists them with those of all batches alone."""
    panel.execute("DELETE FROM batch WHERE id = 2")
    report = walking.walk()
    assert report["coupons"]["new"] == CODES
    orphan = coupons.by_code("B2-CODE03")
    assert (orphan.batch_id, orphan.terms.max_client_usage) == (2, 1)
    assert report["coupons"]["half_known"] == 1
    assert counts(walking.walk()["coupons"]) == NOTHING
    assert list(recount.differences()) == []


@pytest.mark.any_store
def test_a_panel_without_any_promotions_archives_none(walking: Walker, panel: PhpPanel) -> None:
    walking.walk()
    panel.execute("DELETE FROM coupon")
    panel.execute("DELETE FROM batch")
    before = stored()
    assert walking.stopped("--archive-missing") == NOTHING_SEEN
    assert stored() == before
    # One of them is archived already.
    assert walking.walk()["batches"]["vanished"] == BATCHES - 1


@pytest.mark.any_store
def test_a_walk_that_another_one_ended_stores_nothing(
    walking: Walker, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool_codes = WalkStore._spool_codes

    def ended_meanwhile(self: WalkStore, *args: Any) -> None:
        walks.finish(walks.begun(), 0, 0)
        spool_codes(self, *args)

    walking.walk("--dry-run")
    monkeypatch.setattr(WalkStore, "_spool_codes", ended_meanwhile)
    assert "Another walk has ended meanwhile" in walking.stopped("--archive-missing")
    assert stored() == [[], [], []]
