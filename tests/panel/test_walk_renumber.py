"""`promobridge panel renumber`: the way out of ids that both sides have given."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from app import config, create_app
from models.checks import recount
from models.promotions import batch_life, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import own_ids
from models.store.base import database
from tests.panel.php_panel import PhpPanel
from tests.panel.seeds import CODES_OF_BATCH
from tests.panel.walking import Walker
from tests.saved import answer, save, stored


def made_here() -> tuple[Batch, Coupon]:
    """Make rows as an installation has that ran before it had a panel."""
    return (
        batch_life.make("Mine", Terms.of(), 3, prefix="MINE-", length=12),
        coupons.add("MINE", Terms.of()),
    )


def test_rows_in_the_way_get_new_ids_and_the_walk_goes_through(
    walking: Walker, panel: PhpPanel
) -> None:
    batch, mine = made_here()
    report = walking.walk(status=1)
    assert report["batches"]["refused"] == 1
    assert report["coupons"]["refused"] == CODES_OF_BATCH
    before = stored()
    done = walking.run("renumber", "--dry-run")
    assert done.exit_code == 0, done.output
    assert f"batch {batch.id} Mine is in the way\n" in done.stdout
    assert done.stdout.endswith("1 batches and 4 codes are in the way; nothing was changed.\n")
    assert stored() == before
    value = json.loads(walking.run("renumber", "--json").stdout)
    assert (value["batches"], value["coupons"]) == (1, 4)
    assert coupons.by_code("MINE").id >= own_ids.FIRST
    assert Batch.get(Batch.name == "Mine").id == own_ids.FIRST
    report = walking.walk()
    assert report["coupons"]["refused"] == report["batches"]["refused"] == 0
    theirs = {row["id"]: row["code"] for row in panel.rows("coupon")}
    held = {row.id: row.code for row in Coupon.select().where(Coupon.imported)}
    assert held == theirs
    assert Coupon.select().where(Coupon.imported.is_null()).count() == 4
    assert list(recount.differences()) == []
    assert walking.run("renumber").stdout == "0 batches and 0 codes have new ids.\n"
    assert mine.code == "MINE"


def test_rows_in_the_way_of_files_get_new_ids(
    walking: Walker, panel: PhpPanel, tmp_path: Path
) -> None:
    made_here()
    page = panel.ask("listPromoBatches", {"page": 2}).value
    file = save(tmp_path / "page.json", page)
    asked = len(panel.journal())
    done = walking.run("renumber", file)
    assert done.stdout.endswith("1 batches and 4 codes have new ids.\n"), done.output
    assert len(panel.journal()) == asked
    empty = save(tmp_path / "none.json", answer("coupons", []))
    assert walking.run("renumber", empty).stdout == "0 batches and 0 codes have new ids.\n"


def test_what_is_made_with_a_panel_set_is_in_nobodys_way(walking: Walker) -> None:
    """The mark is in the store before the first walk: a command with a panel sets it."""
    assert walking.run("renumber", "--help").exit_code == 0
    assert not own_ids.reserved()
    assert walking.run("renumber", "--dry-run").exit_code == 0
    assert own_ids.reserved()
    assert coupons.add("MINE", Terms.of()).id == own_ids.FIRST
    assert database.last_id("batch") == own_ids.FIRST - 1
    assert walking.walk()["coupons"]["refused"] == 0


def test_a_server_with_a_panel_sets_the_mark(walking: Walker, store: config.Settings) -> None:
    create_app(store, has_rest=False)
    with database.connection_context():
        assert not own_ids.reserved()
    create_app(replace(store, panel_url=walking.panel.url), has_rest=False)
    with database.connection_context():
        assert own_ids.reserved()
        assert batch_life.make("Mine", Terms.of(), 2).id == own_ids.FIRST
