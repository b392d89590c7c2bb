"""promobridge coupon list, show, edit, revoke, reactivate and delete."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings
from models.campaigns import campaign_codes, campaign_making, campaigns
from models.checks.recount import differences
from models.promotions import batch_life, coupons
from models.promotions.campaign_counts import Campaign, Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Use
from models.store import clock, visibility
from tests.app.conftest import Run

TODAY = clock.today(UTC)
LIVE, TEST, PARTNER = Owner(), Owner(visibility.TEST), Owner(partner="shop")


@pytest.fixture(autouse=True)
def filled(store: Settings) -> None:
    """Make batch 1 of three codes, and TEN that stands alone."""
    batch_life.make("Spring", Terms.of(value=10, max_usage=1), 3, prefix="SP-")
    coupons.add("TEN", Terms.of(value=10, coupon_type="invoice_cart"))


def value(run: Run, *words: Any) -> Any:
    """Return the JSON that a command prints, and nothing on standard error."""
    done = run("coupon", *words, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert list(differences()) == []
    return json.loads(done.stdout)


def refusal(run: Run, *words: Any) -> str:
    """Return why a command is refused."""
    done = run("coupon", *words)
    assert (done.exit_code, done.stdout) == (1, ""), done.output
    assert list(differences()) == []
    return done.stderr.removeprefix("Error: ").rstrip("\n")


def use(coupon: Coupon, **facts: Any) -> Redemption:
    """Use a code once."""
    return redemptions.redeem(coupon, Use(today=TODAY, places=2, **facts))[0]


def campaign_code(owner: Owner, slug: str = "summer", code: str = "HELLO-1") -> Campaign:
    """Make a campaign with one code of its own."""
    made = campaigns.add(owner, slug, "Summer")
    campaign_making.import_codes(made, [code], campaign_making.Plan(500), skip=False)
    return made


class TestList:
    def test_pages_of_all_of_one_batch_and_of_those_alone(self, run: Run) -> None:
        use(coupons.by_id(2))
        every = value(run, "list")
        assert [each["id"] for each in every["coupons"]] == [4, 3, 2, 1]
        assert (every["page"], every["limit"], every["total"]) == (0, 25, 4)
        assert every["coupons"][0] == {
            "id": 4,
            "code": "TEN",
            "status": "Active",
            "active": True,
            "batch_id": None,
            "num_usage": 0,
        }
        used = every["coupons"][2]
        assert (used["active"], used["batch_id"], used["num_usage"]) == (False, 1, 1)
        ids = [each["id"] for each in value(run, "list", "--limit", 1, "--page", 2)["coupons"]]
        assert ids == [2]
        in_batch = value(run, "list", "--batch", 1, "--limit", 2)
        assert ([each["id"] for each in in_batch["coupons"]], in_batch["total"]) == ([1, 2], 3)
        assert [each["code"] for each in value(run, "list", "--alone")["coupons"]] == ["TEN"]
        assert run("coupon", "list", "--alone", "--batch", 1).exit_code == 2
        assert refusal(run, "list", "--batch", 9) == "There is no batch 9"

    def test_codes_of_the_rest_api_are_not_among_them(self, run: Run) -> None:
        campaign_code(LIVE)
        assert value(run, "list")["total"] == 4
        assert "HELLO-1" not in run("coupon", "list").stdout


class TestShow:
    def test_who_used_a_code(self, run: Run) -> None:
        first = use(coupons.by_id(4), client_id=7, invoice_id=1001)
        use(coupons.by_id(4), client_id=8)
        newest, oldest = value(run, "show", "TEN")["uses"]
        assert (newest["client_id"], newest["invoice_id"]) == (8, 0)
        assert oldest["id"] == first.id
        assert (oldest["client_id"], oldest["invoice_id"], oldest["state"]) == (7, 1001, "used")
        lines = run("coupon", "show", "TEN").stdout.splitlines()
        assert lines[-1].split()[1:] == ["used", "7", "1001"]

    @pytest.mark.parametrize("owner", [LIVE, TEST, PARTNER])
    def test_a_code_of_the_rest_api(self, run: Run, owner: Owner) -> None:
        campaign_code(owner)
        shown = value(run, "show", "hello-1")
        assert (shown["code"], shown["status"], shown["batch_id"]) == ("HELLO-1", "ACTIVE", 2)
        assert shown["environment"] == visibility.environment_name(owner.environment)
        assert (shown["campaign"], shown["partner"]) == ("summer", owner.partner)
        assert (shown["points"], shown["uses"]) == (500, [])
        done = campaign_codes.redeem(owner, "summer", "user-9", "HELLO-1", TODAY)
        shown = value(run, "show", "HELLO-1")
        assert shown["status"] == "REDEEMED"
        (used,) = shown["uses"]
        assert (used["id"], used["user_id"], used["points"]) == (
            done.redemption.uuid,
            "user-9",
            500,
        )

    def test_the_same_code_in_several_places(self, run: Run) -> None:
        for owner in (TEST, LIVE):
            campaign_code(owner)
        done = run("coupon", "show", "HELLO-1", "--json")
        assert json.loads(done.stdout)["environment"] == "LIVE"
        other = "The code is in the campaign summer in TEST, too"
        assert done.stderr == f"Warning: {other}: --test and --partner choose\n"
        assert value(run, "show", "HELLO-1", "--test")["environment"] == "TEST"
        assert refusal(run, "show", "HELLO-1", "--partner", "x") == coupons.NO_SUCH_CODE
        said = "The code is in the campaign summer in LIVE and in the campaign summer in TEST"
        assert refusal(run, "revoke", "HELLO-1").startswith(said)

    def test_a_code_that_both_apis_have(self, run: Run) -> None:
        campaign = campaigns.add(LIVE, "summer", "Summer")
        campaign_making.join(campaign, 1, 50, UTC)
        code = coupons.by_id(1).code
        shown = value(run, "show", code)
        assert (shown["status"], shown["campaign"], shown["points"]) == ("Active", "summer", 50)
        assert value(run, "revoke", code)["status"] == "Archived"
        assert campaign_codes.known(LIVE, code).status == "REVOKED"
        assert value(run, "edit", code.lower(), "--status", "Active")["status"] == "Active"


class TestEdit:
    def test_what_is_given_changes_and_nothing_else(self, run: Run) -> None:
        before = value(run, "show", "TEN")
        before.pop("uses")
        after = value(run, "edit", "TEN", "--value", "15", "--cycles", "Monthly", "--notes", "new")
        terms = {"value": "15.00", "cycles": ["Monthly"], "notes": "new"}
        assert after == before | {"terms": before["terms"] | terms}

    def test_one_code_of_a_batch_by_its_id(self, run: Run) -> None:
        assert value(run, "edit", "--id", 2, "--max-usage", "5")["terms"]["max_usage"] == 5
        assert coupons.by_id(1).terms.max_usage == 1

    def test_it_is_called_otherwise(self, run: Run) -> None:
        before = value(run, "show", "TEN")
        before.pop("uses")
        assert value(run, "edit", "ten", "--code", " ELEVEN ") == before | {"code": "ELEVEN"}
        assert coupons.by_code("eleven").id == 4
        assert refusal(run, "show", "TEN") == coupons.NO_SUCH_CODE
        assert value(run, "edit", "--id", 4, "--code", "Eleven")["code"] == "Eleven"
        said = "The promotion code already exists"
        assert refusal(run, "edit", "Eleven", "--code", coupons.by_id(1).code.lower()) == said
        assert value(run, "show", "Eleven")["code"] == "Eleven"

    @pytest.mark.parametrize("code", ["", " ", "A" * 33, "a\x1b", "a\u200bb"])
    def test_it_is_called_nothing_that_no_code_may_be(self, run: Run, code: str) -> None:
        done = run("coupon", "edit", "TEN", "--code", code)
        assert (done.exit_code, "Invalid value for '--code'" in done.stderr) == (2, True)
        assert value(run, "show", "TEN")["code"] == "TEN"

    def test_amounts_have_as_many_decimals_as_the_currency(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        sheet = tmp_path / "codes.csv"
        sheet.write_text("code,value,type\nFOUR,0.1234,fixed\n")
        exact = ("edit", "TEN", "--type", "fixed", "--value", "0.1234")
        assert "3 decimals at most" in run("coupon", *exact).stderr
        assert "3 decimals at most" in run("coupon", "import", sheet).stderr
        monkeypatch.setenv("PROMOBRIDGE_AMOUNT_PLACES", "4")
        assert value(run, *exact)["terms"]["value"] == "0.1234"
        assert value(run, "import", sheet)["stored"] == 1
        assert value(run, "show", "FOUR")["terms"]["value"] == "0.1234"

    def test_it_is_stopped_and_archived(self, run: Run) -> None:
        assert not value(run, "edit", "TEN", "--inactive")["active"]
        assert value(run, "edit", "TEN", "--active")["active"]
        assert value(run, "edit", "TEN", "--status", "Archived")["status"] == "Archived"

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("TEN",), "Say what to change."),
            (("--value", "5"), "Give a CODE or --id."),
            (("TEN", "--value", "x"), "--value must be"),
            (("TEN", "--value", "101"), "--value must be 100 at most when type is percent"),
            (("OTHER", "--id", "4", "--value", "5"), "code (is not the code of the coupon"),
        ],
    )
    def test_wrong_usage(self, run: Run, options: tuple[str, ...], said: str) -> None:
        done = run("coupon", "edit", *options)
        assert done.exit_code == 2
        assert said in done.stderr
        assert value(run, "show", "TEN")["terms"]["value"] == "10.00"

    def test_a_code_of_the_rest_api_alone(self, run: Run) -> None:
        campaign_code(TEST)
        said = "The code is in the campaign summer in TEST alone: it can be revoked"
        assert refusal(run, "edit", "HELLO-1", "--value", "5") == said
        assert refusal(run, "delete", "HELLO-1", "--yes") == said


class TestRevoke:
    def test_a_code_is_withdrawn_and_comes_back(self, run: Run) -> None:
        code = coupons.by_id(1).code
        assert value(run, "revoke", code)["status"] == "Archived"
        batch_life.edit(1, TODAY, live=False)
        assert refusal(run, "reactivate", code) == "The batch of the promotion code is archived"
        batch_life.edit(1, TODAY, live=True)
        assert value(run, "show", code)["status"] == "Archived"
        back = value(run, "reactivate", code)
        assert (back["status"], back["active"]) == ("Active", True)

    def test_one_that_was_stopped_comes_back(self, run: Run) -> None:
        value(run, "edit", "TEN", "--inactive")
        assert value(run, "reactivate", "TEN")["active"]

    def test_one_that_is_used_up_does_not(self, run: Run) -> None:
        use(coupons.by_id(1))
        said = "The promotion code cannot be active: it is used up or has expired"
        assert refusal(run, "reactivate", coupons.by_id(1).code) == said

    @pytest.mark.parametrize("owner", [LIVE, TEST, PARTNER])
    def test_a_code_of_the_rest_api(self, run: Run, owner: Owner) -> None:
        campaign_code(owner)
        assert value(run, "revoke", "HELLO-1")["status"] == "REVOKED"
        assert campaigns.listed()[0].revoked == 1
        assert value(run, "reactivate", "HELLO-1")["status"] == "ACTIVE"
        campaign_codes.redeem(owner, "summer", "user", "HELLO-1", TODAY)
        assert refusal(run, "revoke", "HELLO-1") == "Code status is REDEEMED"


class TestDelete:
    def test_it_is_asked_about(self, run: Run) -> None:
        use(coupons.by_id(4))
        for answer in ("", "n\n"):
            done = run("coupon", "delete", "TEN", input=answer)
            assert (done.exit_code, done.stdout) == (1, "")
            assert "Delete the code TEN, which was used 1 times?" in done.stderr
        done = run("coupon", "delete", "TEN", "--json", input="y\n")
        assert json.loads(done.stdout) == {"id": 4, "code": "TEN", "deleted": True}
        assert refusal(run, "delete", "TEN", "--yes") == coupons.NO_SUCH_CODE
        assert Redemption.select().count() == 1

    def test_one_of_a_batch_by_its_id(self, run: Run) -> None:
        assert value(run, "delete", "--id", 2, "--yes")["deleted"]
        assert Coupon.select().where(Coupon.batch_id == 1).count() == 2
        assert refusal(run, "delete", "--id", 2, "--yes") == "There is no coupon 2"
