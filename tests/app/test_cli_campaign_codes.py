"""promobridge campaign codes and code."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from app.cli import campaign_rows as commands
from app.config import Settings
from models.campaigns import campaign_codes, campaign_making, campaigns, code_list, revocations
from models.promotions import coupons
from models.promotions.campaign_counts import CampaignBatch, Owner
from models.promotions.terms import Terms
from models.store import clock, visibility
from tests.app.conftest import Run

TODAY = clock.today(UTC)
LIVE, TEST, PARTNER = Owner(), Owner(visibility.TEST), Owner(partner="shop")
FIRST, SECOND = ["AAAA-11", "AAAA-22", "AAAA-33"], ["BBBB-11", "BBBB-22"]


@pytest.fixture(autouse=True)
def filled(store: Settings) -> None:
    """Make a campaign of two batches; one code is used and one revoked."""
    made = campaigns.add(LIVE, "summer", "Summer")
    for codes in (FIRST, SECOND):
        campaign_making.import_codes(made, codes, campaign_making.Plan(500), skip=False)
    campaign_codes.redeem(LIVE, "summer", "user-9", "AAAA-22", TODAY)
    revocations.revoke(LIVE, "BBBB-11")


def value(run: Run, *words: Any) -> Any:
    """Return the JSON that a command prints, and nothing on standard error."""
    done = run("campaign", *words, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return json.loads(done.stdout)


def refused(run: Run, status: int, *words: Any) -> str:
    """Return the last line with which a command is refused."""
    done = run("campaign", *words)
    assert (done.exit_code, done.stdout) == (status, ""), done.output
    return done.stderr.splitlines()[-1].removeprefix("Error: ")


def ends(rows: Any) -> list[str]:
    """Return the last characters of codes, which are shown of each."""
    return [each["code"][-2:] + each["status"][:3] for each in rows]


ALL = ["11REV", "22ACT", "11ACT", "22RED", "33ACT"]


class TestCodes:
    def test_all_of_them_masked_with_who_used_them(self, run: Run) -> None:
        shown = value(run, "codes", "summer")
        assert ends(shown["codes"]) == ALL
        assert (shown["next_cursor"], shown["limit"]) == (None, 50)
        used = shown["codes"][3]
        assert (used["redeemed_by"], used["points"], used["expires_at"]) == ("user-9", 500, None)
        assert used["redeemed_at"]
        assert (
            json.loads(run("redemption", "show", used["redemption"], "--json").stdout)["code"]
            == "AAAA-22"
        )
        printed = run("campaign", "codes", "summer")
        assert printed.stderr == ""
        assert not [code for code in (*FIRST, *SECOND) if code in printed.stdout]
        assert printed.stdout.splitlines()[4].split()[1:4] == ["REDEEMED", "500", "user-9"]

    def test_pages_of_each_status_and_batch(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(code_list, "LOOKED_AT", 1)
        first = value(run, "codes", "summer", "--limit", 2)
        assert ends(first["codes"]) == ALL[:2]
        rest = value(run, "codes", "summer", "--limit", 3, "--cursor", first["next_cursor"])
        assert ends(rest["codes"]) == ALL[2:]
        assert ends(value(run, "codes", "summer", "--status", "redeemed")["codes"]) == ["22RED"]
        assert ends(value(run, "codes", "summer", "--status", "REVOKED")["codes"]) == ["11REV"]
        batch = CampaignBatch.get(CampaignBatch.number == 2).uuid
        assert ends(value(run, "codes", "summer", "--batch", batch)["codes"]) == ALL[:2]
        more = run("campaign", "codes", "summer", "--limit", 2)
        assert more.stderr == f"There may be more: --cursor {first['next_cursor']}\n"
        none = run("campaign", "codes", "summer", "--status", "expired")
        assert (none.stdout, none.exit_code) == ("There is no code here.\n", 0)

    def test_all_of_it_as_csv(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(commands, "SLICE", 2)
        done = run("campaign", "codes", "summer", "--csv")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert tuple(rows[0]) == commands.COLUMNS
        assert ends(rows) == ALL
        path = tmp_path / "codes.csv"
        words = ("campaign", "codes", "summer", "--csv", "--status", "active", "--output", path)
        assert run(*words).output == ""
        assert ends(csv.DictReader(io.StringIO(path.read_text()))) == ["22ACT", "11ACT", "33ACT"]

    @pytest.mark.parametrize("owner", [TEST, PARTNER])
    def test_whose_campaign_it_is(self, run: Run, owner: Owner) -> None:
        campaigns.add(owner, "summer", "Other")
        options = ("--test",) if owner is TEST else ("--partner", "shop")
        assert value(run, "codes", "summer", *options)["codes"] == []
        assert len(value(run, "codes", "summer")["codes"]) == 5

    def test_refusals(self, run: Run) -> None:
        assert refused(run, 1, "codes", "winter") == "Campaign not found"
        assert refused(run, 1, "codes", "summer", "--batch", "none") == "Batch not found"
        assert "must be one that" in refused(run, 2, "codes", "summer", "--cursor", "x")
        both = "--csv cannot be given with --json or the options of a page"
        assert refused(run, 2, "codes", "summer", "--csv", "--cursor", "1.1") == both
        assert "REDEEMED" in refused(run, 2, "codes", "summer", "--status", "used").upper()


class TestCode:
    def test_what_it_is_and_who_used_it(self, run: Run) -> None:
        shown = value(run, "code", "aaaa 22")
        assert (shown["code"], shown["status"], shown["campaign"]) == (
            "AAAA-22",
            "REDEEMED",
            "summer",
        )
        (used,) = shown["uses"]
        assert (used["user_id"], used["points"]) == ("user-9", 500)
        lines = run("campaign", "code", "AAAA-22").stdout.splitlines()
        assert lines[-1].split()[1:] == ["used", "user-9"]
        assert value(run, "code", "AAAA-11")["uses"] == []

    def test_one_of_the_legacy_api_alone_is_none(self, run: Run) -> None:
        coupons.add("TEN", Terms.of(value=10))
        said = "The code is in the legacy API alone: promobridge coupon show"
        assert refused(run, 1, "code", "TEN") == said
        assert refused(run, 1, "code", "NONE") == coupons.NO_SUCH_CODE

    def test_the_same_code_of_the_legacy_api_does_not_come_first(self, run: Run) -> None:
        campaigns.add(TEST, "summer", "Other")
        made = campaigns.by_slug(TEST, "summer")
        campaign_making.import_codes(made, ["TEN-22"], campaign_making.Plan(5), skip=False)
        coupons.add("TEN-22", Terms.of(value=10))
        assert value(run, "code", "TEN-22")["environment"] == "TEST"
