"""promobridge batch edit, archive, grow, find and delete; what is warned about."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from app import config
from models.checks.recount import differences
from models.promotions import batches, coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Use
from models.store import clock
from tests.app.conftest import Run

SPRING = ("batch", "generate", "--name", "Spring", "--value", "10", "--size", "3")

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def spring(run: Run, store: config.Settings) -> None:
    """Make batch 1."""
    assert run(*SPRING, "--prefix", "SP-", "--notes", "old").exit_code == 0


def value(run: Run, *words: Any) -> Any:
    """Return the JSON that a command prints, and nothing on standard error."""
    done = run(*words, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert list(differences()) == []
    return json.loads(done.stdout)


def use(coupon: Coupon) -> Redemption:
    """Use a code once."""
    return redemptions.redeem(coupon, Use(today=clock.today(UTC), places=2))[0]


def test_an_edit_changes_what_is_given_and_nothing_else(run: Run) -> None:
    own = coupons.by_id(2)
    coupon_life.edit(own.id, clock.today(UTC), terms=lambda held: Terms.of(value=3))
    before = value(run, "batch", "show", 1)
    after = value(
        run,
        *("batch", "edit", 1, "--name", "Summer", "--products", "5", "--products", "7"),
        *("--max-usage", "2", "--expires", "2099-12-31", "--notes", ""),
    )
    assert after["terms"] == before["terms"] | {
        "products": ["5", "7"],
        "max_usage": 2,
        "expires": "2099-12-31",
        "notes": "",
    }
    assert after | {"updated_at": "", "terms": {}} == before | {
        "name": "Summer",
        "notes": "",
        "updated_at": "",
        "terms": {},
    }
    held = {coupon.id: coupon.terms.max_usage for coupon in Coupon.select()}
    assert held == {1: 2, 2: 0, 3: 2}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Say what to change."),
        (("--name", ""), "--name cannot be empty"),
        (("--value", "101"), "--value must be 100 at most when type is percent"),
        (("--type", "other"), "--type must be one of fixed, percent"),
        (("--prefiks", "1"), "No such option '--prefiks'."),
        (("--status", "Gone"), "Invalid value for '--status'"),
    ],
)
def test_an_edit_that_says_nothing_of_use_is_wrong_usage(
    run: Run, options: tuple[str, ...], said: str
) -> None:
    before = value(run, "batch", "show", 1)
    done = run("batch", "edit", 1, *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert value(run, "batch", "show", 1) == before


def test_a_value_is_measured_by_the_type_that_the_batch_has(run: Run) -> None:
    assert value(run, "batch", "edit", 1, "--type", "fixed")["terms"]["type"] == "fixed"
    assert value(run, "batch", "edit", 1, "--value", "250")["terms"]["value"] == "250.00"


def test_a_batch_is_archived_and_brought_back(run: Run) -> None:
    assert value(run, "batch", "archive", 1)["status"] == "Archived"
    assert value(run, "batch", "archive", 1)["status"] == "Archived"
    assert Coupon.select().where(Coupon.live.is_null()).count() == 3
    assert value(run, "batch", "edit", 1, "--status", "Active")["status"] == "Active"
    assert Coupon.select().where(Coupon.live.is_null()).count() == 0


def test_a_batch_grows(run: Run) -> None:
    grown = value(run, "batch", "grow", 1, "--size", 4)
    assert (grown["requested"], grown["made"], grown["coupons_count"]) == (7, 7, 7)
    assert all(coupon.code.startswith("SP-") for coupon in Coupon.select())


def test_a_batch_grows_only_where_it_may(run: Run) -> None:
    assert run(*SPRING, "--length", "5", "--complexity", "5", "--dense").exit_code == 0
    refused = run("batch", "grow", 2, "--size", 1)
    assert refused.exit_code == 1
    assert "may fill a millionth of them at most" in refused.stderr
    assert value(run, "batch", "grow", 2, "--size", 5, "--dense")["made"] == 8
    run("batch", "archive", 1)
    assert run("batch", "grow", 1, "--size", 1).stderr == "Error: The batch is archived\n"
    assert run("batch", "grow", 9, "--size", 1).stderr == "Error: There is no batch 9\n"


def test_batches_are_found_by_name_prefix_and_code(run: Run) -> None:
    value(run, *SPRING[:3], "ŻÓŁTA 100% wiosna", *SPRING[4:])
    code = coupons.by_id(4).code
    for text, ids in (
        ("spr", [1]),
        ("sp-", [1]),
        ("żółta", [2]),
        ("100%", [2]),
        ("%", [2]),
        ("i", [2, 1]),
        (code, [2]),
        ("none", []),
        ("\udcff", []),
    ):
        assert [each["id"] for each in value(run, "batch", "find", text)] == ids, text
    assert "There is no batch here." in run("batch", "find", "none").stdout


def test_a_deletion_is_asked_about(run: Run) -> None:
    for answer in ("", "n\n"):
        done = run("batch", "delete", 1, input=answer)
        assert done.exit_code == 1
        assert "Delete the batch Spring with its 3 codes?" in done.stderr
        assert (batches.by_id(1).coupons_count, done.stdout) == (3, "")
    done = run("batch", "delete", 1, "--json", input="y\n")
    assert json.loads(done.stdout) == {"id": 1, "name": "Spring", "codes": 3, "deleted": True}
    assert Coupon.select().count() == 0
    assert run("batch", "delete", 1, "--yes").stderr == "Error: There is no batch 1\n"


def test_a_batch_that_was_used_is_archived_first(run: Run) -> None:
    use(coupons.by_id(1))
    refused = run("batch", "delete", 1, "--yes")
    assert refused.exit_code == 1
    assert "archive it first" in refused.stderr
    value(run, "batch", "archive", 1)
    assert value(run, "batch", "delete", 1, "--yes")["deleted"]
    assert Redemption.select().count() == 1


class TestWarnings:
    def test_a_day_that_is_over(self, run: Run, tmp_path: Path) -> None:
        sheet = tmp_path / "codes.csv"
        sheet.write_text("code\nTEN\n")
        for words in (
            (*SPRING[:3], "Autumn", *SPRING[4:]),
            ("batch", "edit", 1),
            ("coupon", "import", sheet, "--value", "1"),
        ):
            done = run(*words, "--expires", "2020-01-31")
            assert done.exit_code == 0
            assert done.stderr.startswith("Warning: --expires 2020-01-31 is over")

    def test_an_end_that_is_over(self, run: Run) -> None:
        summer = ("summer", "--ends", "2020-01-31T00:00:00Z")
        done = run("campaign", "add", *summer, "--name", "Summer")
        assert done.exit_code == 0
        assert done.stderr.startswith("Warning: --ends 2020-01-31T00:00:00Z is over")
        value(run, "campaign", "edit", "summer", "--ends", "2099-01-31T00:00:00Z")
        assert run("campaign", "edit", *summer).stderr == done.stderr

    def test_the_last_day_is_not_over(self, run: Run) -> None:
        today = clock.today(UTC).isoformat()
        assert value(run, "batch", "edit", 1, "--expires", today)["terms"]["expires"] == today

    def test_the_same_name_again(self, run: Run) -> None:
        said = "Warning: There is a batch of this name already: 1\n"
        assert run(*SPRING).stderr == said
        value(run, "batch", "edit", 2, "--name", "Summer")
        assert run("batch", "edit", 2, "--name", "Spring").stderr == said
        value(run, "batch", "edit", 2, "--name", "spring")
        value(run, "batch", "edit", 2, "--name", "spring")  # its own

    def test_a_file_that_is_there(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "codes.csv"
        export = ("batch", "export", 1, "--output", path)
        assert run(*export, "--no-clobber").stderr == ""
        whole = path.read_text()
        path.write_text("mine")
        refused = run(*export, "--no-clobber")
        assert refused.exit_code == 1
        assert refused.stderr == f"Error: {path} cannot be written: File exists\n"
        assert path.read_text() == "mine"
        done = run(*export)
        assert done.exit_code == 0
        assert done.stderr == f"Warning: {path} is there already and is replaced\n"
        assert path.read_text() == whole
        assert not list(tmp_path.glob(".promobridge-*"))


def test_an_empty_option_clears_what_can_be_empty(run: Run) -> None:
    before = value(run, "batch", "show", 1)["terms"]
    limits = ("--expires", "2099-12-31", "--products", "5", "--cycles", "Monthly")
    value(run, "batch", "edit", 1, *limits, "--max-usage", "5", "--client-id", "7")
    cleared = [word for option in limits[::2] for word in (option, "")]
    after = value(run, "batch", "edit", 1, *cleared, "--max-usage", "", "--client-id", "")
    assert after["terms"] == before
