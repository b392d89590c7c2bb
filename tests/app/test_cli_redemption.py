"""promobridge redemption list, show and release."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.cli import redemption as commands
from app.config import Settings
from models.campaigns import campaign_codes, campaign_making, campaigns
from models.checks.recount import differences
from models.promotions import batch_life, coupon_life, coupons
from models.promotions.campaign_counts import Owner
from models.promotions.terms import Terms
from models.redemptions import players, redemptions
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Use
from models.store import clock, visibility
from tests.app.conftest import Run

TODAY = clock.today(UTC)
LIVE, TEST, PARTNER = Owner(), Owner(visibility.TEST), Owner(partner="shop")


def use(code: str, **facts: Any) -> int:
    """Use a code of the legacy API once and return the id of its redemption."""
    facts = {"today": TODAY, "places": 2, "api_id": "operator"} | facts
    return redemptions.redeem(coupons.by_code(code), Use(**facts))[0].id


def campaign(owner: Owner, user: str = "user-9", code: str = "HELLO-1") -> int:
    """Make a campaign with a code that is used, and return the id of its redemption."""
    made = campaigns.add(owner, "summer", "Summer")
    campaign_making.import_codes(made, [code], campaign_making.Plan(500), skip=False)
    return campaign_codes.redeem(owner, "summer", user, code, TODAY).redemption.id


@pytest.fixture(autouse=True)
def filled(store: Settings) -> dict[str, int]:
    """Make uses of both APIs; return their ids by names, the oldest first."""
    batch_life.make("Spring", Terms.of(value=10, max_usage=1), 2, prefix="SP-")
    coupons.add("TEN", Terms.of(value=10, coupon_type="invoice_cart"))
    return {
        "ten": use("TEN", client_id=7, invoice_id=1001),
        "spring": use(coupons.by_id(1).code, client_id=8, order_id=501),
        "again": use("TEN", client_id=8, order_id=502),
        "live": campaign(LIVE),
        "test": campaign(TEST, user="user-8"),
        "partner": campaign(PARTNER, code="HELLO-2"),
    }


def value(run: Run, *words: Any) -> Any:
    """Return the JSON that a command prints, and nothing on standard error."""
    done = run("redemption", *words, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert list(differences()) == []
    return json.loads(done.stdout)


def refused(run: Run, status: int, *words: Any) -> str:
    """Return the last line with which a command is refused."""
    done = run("redemption", *words)
    assert (done.exit_code, done.stdout) == (status, ""), done.output
    return done.stderr.splitlines()[-1].removeprefix("Error: ")


class TestList:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ((), ["partner", "test", "live", "again", "spring", "ten"]),
            (("--code", " ten "), ["again", "ten"]),
            (("--code", "hello 1"), ["test", "live"]),
            (("--code", "NONE"), []),
            (("--batch", 1), ["spring"]),
            (("--client", 8), ["again", "spring"]),
            (("--client", 8, "--code", "TEN"), ["again"]),
            (("--user", "user-9"), ["partner", "live"]),
            (("--invoice", 1001), ["ten"]),
            (("--order", 502), ["again"]),
            (("--campaign", "summer"), ["live"]),
            (("--campaign", "summer", "--test"), ["test"]),
            (("--campaign", "summer", "--partner", "shop"), ["partner"]),
            (("--campaign", "summer", "--user", "user-8"), []),
            (("--state", "released"), []),
            (("--limit", 2), ["partner", "test"]),
        ],
    )
    def test_what_it_is_narrowed_down_to(
        self, run: Run, filled: dict[str, int], options: tuple[Any, ...], expected: list[str]
    ) -> None:
        assert [each["id"] for each in value(run, "list", *options)] == [
            filled[name] for name in expected
        ]

    def test_days_of_the_installation_both_included(
        self, run: Run, filled: dict[str, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PROMOBRIDGE_TIMEZONE", "Europe/Warsaw")
        night = datetime(2026, 5, 1, 22, 30, tzinfo=UTC)  # half an hour into the second of May
        for name, hours in (("ten", -1), ("again", 0), ("live", 24)):
            at = int((night + timedelta(hours=hours)).timestamp())
            Redemption.update(redeemed_at=at).where(Redemption.id == filled[name]).execute()

        def found(*options: str) -> list[int]:
            return [each["id"] for each in value(run, "list", *options)]

        second = ("--date-from", "2026-05-02", "--date-to", "2026-05-02")
        assert found(*second) == [filled["again"]]
        assert found("--date-to", "2026-05-01") == [filled["ten"]]
        assert filled["live"] in found("--date-from", "2026-05-03")
        assert found("--date-from", "2026-05-01", "--date-to", "9999-12-31")

    def test_pages_stay_in_place_while_codes_are_used(
        self, run: Run, filled: dict[str, int]
    ) -> None:
        done = run("redemption", "list", "--limit", 4)
        lines = done.stdout.splitlines()
        columns = "id  used at  state  code  client  user  invoice  order  off  points"
        assert lines[0].split() == columns.split()
        assert len(lines) == 5
        assert done.stderr == f"There may be older ones: --before {filled['again']}\n"
        use("TEN", client_id=9)
        older = value(run, "list", "--limit", 4, "--before", filled["again"])
        assert [each["id"] for each in older] == [filled["spring"], filled["ten"]]
        assert run("redemption", "list", "--order", 9).stdout == "There is no redemption here.\n"

    def test_a_code_that_was_deleted(self, run: Run, filled: dict[str, int]) -> None:
        coupon_life.delete(coupons.by_code("TEN").id)
        found = value(run, "list", "--code", "TEN")
        assert [each["id"] for each in found] == [filled["again"], filled["ten"]]

    def test_a_code_that_has_another_name_by_now(self, run: Run, filled: dict[str, int]) -> None:
        assert run("coupon", "edit", "TEN", "--code", "ELEVEN").exit_code == 0
        newer = use("ELEVEN", client_id=9)
        found = [each["id"] for each in value(run, "list", "--code", "eleven")]
        assert found == [newer, filled["again"], filled["ten"]]
        old = [each["id"] for each in value(run, "list", "--code", "TEN")]
        assert old == [filled["again"], filled["ten"]]

    def test_all_of_it_as_csv(
        self, run: Run, filled: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(commands, "SLICE", 2)
        Redemption.update(user_id="=1+1").where(Redemption.id == filled["live"]).execute()
        done = run("redemption", "list", "--csv")
        assert (done.exit_code, done.stderr) == (0, "")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert tuple(rows[0]) == commands.COLUMNS
        assert [int(row["id"]) for row in rows] == [*filled.values()][::-1]
        assert rows[2]["user_id"] == "'=1+1"
        last = rows[-1]
        assert (last["code"], last["client_id"], last["order_id"]) == ("TEN", "7", "")
        path = tmp_path / "uses.csv"
        done = run("redemption", "list", "--csv", "--output", path, "--client", 8)
        assert (done.exit_code, done.stdout) == (0, "")
        assert len(path.read_text().splitlines()) == 3
        assert run("redemption", "list", "--csv", "--output", path, "--no-clobber").exit_code == 1

    def test_what_contradicts(self, run: Run) -> None:
        both = "--csv cannot be given with --json or the options of a page"
        for options in (("--json",), ("--limit", 5), ("--before", 5)):
            assert refused(run, 2, "list", "--csv", *options) == both
        assert refused(run, 2, "list", "--output", "x.csv") == "--output goes with --csv"
        alone = "--test and --partner go with --campaign"
        assert refused(run, 2, "list", "--test") == alone
        backwards = ("--date-from", "2026-05-02", "--date-to", "2026-05-01")
        assert refused(run, 2, "list", *backwards) == "--date-to is before --date-from"
        assert "must be a date like 2030-12-31" in refused(run, 2, "list", "--date-to", "May")
        assert refused(run, 1, "list", "--campaign", "none") == "Campaign not found"
        assert "--client" in refused(run, 2, "list", "--clientt", 5)


class TestShow:
    def test_a_use_of_the_legacy_api(self, run: Run) -> None:
        made = use("TEN", client_id=3, order_id=9, amount=Decimal(200), setup_amount=Decimal(50))
        shown = value(run, "show", made)
        assert (shown["id"], shown["uuid"], shown["state"]) == (made, None, "used")
        assert (shown["code"], shown["client_id"], shown["order_id"]) == ("TEN", 3, 9)
        assert (shown["amount"], shown["discount"], shown["setup_discount"]) == (
            "200.00",
            "20.00",
            "0.00",
        )
        assert (shown["api_id"], shown["invoice_id"], shown["points"]) == ("operator", None, None)
        assert (shown["campaign"], shown["environment"]) == (None, "LIVE")
        assert shown["redeemed_at"].startswith("20")
        assert shown["released_at"] is None

    def test_a_use_of_the_rest_api_by_either_id(self, run: Run, filled: dict[str, int]) -> None:
        shown = value(run, "show", filled["partner"])
        assert (shown["user_id"], shown["points"], shown["campaign"]) == ("user-9", 500, "summer")
        assert (shown["partner"], shown["environment"]) == ("shop", "LIVE")
        assert value(run, "show", shown["uuid"].upper()) == shown
        assert value(run, "show", filled["test"])["environment"] == "TEST"

    @pytest.mark.parametrize("name", ["99", "9" * 30, "none", "²"])
    def test_there_is_none(self, run: Run, name: str) -> None:
        for word in ("show", "release"):
            assert refused(run, 1, word, name) == f"There is no redemption {name}"


class TestRelease:
    def test_a_use_of_the_legacy_api_once(self, run: Run, filled: dict[str, int]) -> None:
        assert not coupons.by_id(1).active
        released = value(run, "release", filled["spring"])
        assert (released["id"], released["state"]) == (filled["spring"], "released")
        assert released["released_at"]
        coupon = coupons.by_id(1)
        assert (coupon.active, coupon.num_usage) == (True, 0)
        again = run("redemption", "release", filled["spring"])
        assert (again.exit_code, again.stderr) == (
            0,
            "Warning: The redemption was released before\n",
        )
        assert list(differences()) == []
        assert value(run, "list", "--state", "released") == value(run, "list", "--batch", 1)

    @pytest.mark.parametrize("name", ["live", "test", "partner"])
    def test_a_use_of_the_rest_api_with_its_points(
        self, run: Run, filled: dict[str, int], name: str
    ) -> None:
        redemption = Redemption.get_by_id(filled[name])
        assert players.points(redemption.campaign_id, redemption.user_id) == 500
        assert value(run, "release", redemption.uuid)["state"] == "released"
        assert players.points(redemption.campaign_id, redemption.user_id) == 0
        said = "Redemption was rolled back already"
        assert refused(run, 1, "release", redemption.uuid) == said
        assert list(differences()) == []
