"""Campaign codes: made, found as people type them, used once, withdrawn, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from app.config import Settings
from models.campaigns import (
    campaign_codes,
    campaign_making,
    campaigns,
    code_list,
    jobs,
    revocations,
)
from models.campaigns.campaign_making import Plan
from models.checks import recount
from models.imports.own_codes import OwnCode, OwnCodeImport
from models.promotions import (
    batch_life,
    batches,
    code_spelling,
    coupon_life,
    coupon_lists,
    coupons,
    generation,
)
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.promotions.terms import Terms
from models.redemptions import batch_deletion, redemptions, releases
from models.redemptions.players import Player, PlayerBand
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Use
from models.store import clock, counters, visibility
from models.store.base import change, database
from models.store.errors import Conflict, Invalid, NotFound
from tests.terms import but

TODAY = date(2025, 7, 15)
LIVE = Owner()
TEST = Owner(visibility.TEST)


@pytest.fixture
def campaign(store: Settings) -> Iterator[Campaign]:
    """Make the campaign; whatever a test did, every kept count is right after it."""
    yield campaigns.add(LIVE, "summer-promo", "Summer Promo 2025")
    assert list(recount.differences()) == []


def counts(campaign: Campaign) -> tuple[int, int, int, int]:
    """Return codes, redeemed, revoked and batches as they are kept."""
    now = Campaign.get_by_id(campaign.id)
    return now.codes, now.redeemed, now.revoked, now.batches


class TestForms:
    @pytest.mark.parametrize(
        ("slug", "prefix"), [("summer-promo", "SUMM-"), ("my-promo", "MY-P-"), ("ab", "AB-")]
    )
    def test_a_code_begins_with_the_slug(self, slug: str, prefix: str) -> None:
        assert code_spelling.prefix(slug) == prefix

    @pytest.mark.parametrize("slug", ["summer-promo", "my-promo", "ab", "a-", "a--b", "0i1lo"])
    @pytest.mark.parametrize(
        "typed",
        [
            str.lower,
            lambda code: code.replace("-", ""),
            lambda code: " ".join(code),
            lambda code: f"\t{code}\n",
            lambda code: code.replace("-", "\N{NON-BREAKING HYPHEN}"),
        ],
    )
    def test_a_typed_code_leads_to_the_code(self, slug: str, typed: Callable[[str], str]) -> None:
        code = code_spelling.prefix(slug) + "AX7K9M2P"
        assert code in code_spelling.candidates(typed(code))

    def test_look_alikes_are_repaired_after_the_prefix_only(self) -> None:
        assert "LOIL-QQJJJ234" in code_spelling.candidates("loil-0O1il234")

    @pytest.mark.parametrize("text", ["", "-", "\0", "x" * 5000, "İ" * 40, "ﬀ-12345678"])
    def test_any_text_has_few_candidates(self, text: str) -> None:
        assert len(code_spelling.candidates(text)) < 20

    @pytest.mark.parametrize(
        ("code", "prefix", "masked"),
        [
            ("SUMM-AX7K9M2P", "SUMM-", "SUMM-******2P"),
            ("OWN2025", "", "*****25"),
            ("AB", "", "**"),
        ],
    )
    def test_a_masked_code_shows_prefix_and_end(self, code: str, prefix: str, masked: str) -> None:
        assert code_spelling.masked(code, prefix) == masked


class TestMaking:
    def test_codes_are_as_documented(self, campaign: Campaign) -> None:
        batch, codes = campaign_making.generate(campaign, 50, Plan(500, "cards"))
        assert len(set(codes)) == 50
        assert all(len(code) == 13 and code.startswith("SUMM-") for code in codes)
        assert {letter for code in codes for letter in code[5:]} <= set(generation.CLEAR_LETTERS)
        assert (batch.total, batch.size, batch.number) == (50, 50, 1)
        assert counts(campaign) == (50, 0, 0, 1)

    def test_the_legacy_api_does_not_see_them(self, campaign: Campaign) -> None:
        batch, codes = campaign_making.generate(campaign, 3, Plan(500))
        assert batches.page(0, 10)[0] == coupon_lists.total(True) == coupon_lists.total(False) == 0
        assert batches.page(0, 10)[1].rows() == []
        assert coupon_lists.newest(("id",), 10, 0, 10, True).rows() == []
        for question in (
            lambda: coupons.by_code(codes[0]),
            lambda: coupons.by_code_or_id(codes[0]),
            lambda: coupons.row_by_code(("id",), codes[0]),
            lambda: batches.by_id(batch.batch_id),
        ):
            with pytest.raises(NotFound):
                question()

    def test_environments_and_partners_are_apart(self, campaign: Campaign) -> None:
        _, codes = campaign_making.generate(campaign, 1, Plan(5))
        assert campaign_codes.find(LIVE, codes[0])
        assert campaign_codes.find(TEST, codes[0]) is None
        assert campaign_codes.find(Owner(partner="other"), codes[0]) is None

    def test_a_code_may_live_in_both_environments(self, campaign: Campaign) -> None:
        other = campaigns.add(TEST, "summer-promo", "Summer")
        for one in (campaign, other):
            campaign_making.import_codes(one, ["OWN-1"], Plan(5), skip=False)
        found = campaign_codes.find(TEST, "OWN-1")
        assert found
        assert found.batch.campaign.id == other.id

    def test_own_codes_are_found_as_typed(self, campaign: Campaign) -> None:
        campaign_making.import_codes(campaign, ["Sommer-2025-x", "b_2"], Plan(5), skip=False)
        for typed in ("Sommer-2025-x", "sommer 2025 X", "SOMMER2025X"):
            found = campaign_codes.find(LIVE, typed)
            assert found
            assert found.coupon.code == "Sommer-2025-x"
        assert counts(campaign) == (2, 0, 0, 1)

    def test_own_codes_come_whole_or_not_at_all(self, campaign: Campaign) -> None:
        campaign_making.import_codes(campaign, ["HAVE-1"], Plan(5), skip=False)
        given = ["NEW-1", "have1", "new1"]
        with pytest.raises(campaign_making.CodesClash) as clash:
            campaign_making.import_codes(campaign, given, Plan(5), skip=False)
        assert clash.value.rejected == {
            1: campaign_making.EXISTS,
            2: campaign_making.REPEATED,
        }
        assert counts(campaign) == (1, 0, 0, 1)
        batch, rejected = campaign_making.import_codes(campaign, given, Plan(5), skip=True)
        assert (batch.total, set(rejected)) == (1, {1, 2})
        assert counts(campaign) == (2, 0, 0, 2)


class TestRedeeming:
    def test_points_add_up_for_a_user(self, campaign: Campaign) -> None:
        _, codes = campaign_making.generate(campaign, 3, Plan(500))
        totals = [
            campaign_codes.redeem(LIVE, "summer-promo", user, code, TODAY).total_points
            for user, code in zip(("a", "a", "b"), codes, strict=True)
        ]
        assert totals == [500, 1000, 500]
        assert counts(campaign) == (3, 3, 0, 1)

    def test_a_code_is_used_once(self, campaign: Campaign) -> None:
        _, codes = campaign_making.generate(campaign, 1, Plan(500))
        campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)
        with pytest.raises(campaign_codes.WrongStatus) as refused:
            campaign_codes.redeem(LIVE, "summer-promo", "b", codes[0], TODAY)
        assert refused.value.sentence == "Code status is REDEEMED"

    def test_a_rollback_gives_code_and_points_back_once(self, campaign: Campaign) -> None:
        _, codes = campaign_making.generate(campaign, 1, Plan(500))
        done = campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)
        uuid = done.redemption.uuid
        undone = campaign_codes.roll_back(LIVE, "summer-promo", uuid, TODAY)
        assert (undone.total_points, undone.status) == (0, "ACTIVE")
        assert counts(campaign) == (1, 0, 0, 1)
        with pytest.raises(Conflict, match="rolled back already"):
            campaign_codes.roll_back(LIVE, "summer-promo", uuid, TODAY)
        assert Redemption.select().count() == 1
        again = campaign_codes.redeem(LIVE, "summer-promo", "b", codes[0], TODAY)
        assert again.total_points == 500

    def test_a_code_expires_at_its_second(
        self, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(clock, "now", lambda: 1000)
        _, codes = campaign_making.generate(campaign, 2, Plan(5, expires_at=1001))
        assert campaigns.expired_codes(campaign) == 0
        campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)
        monkeypatch.setattr(clock, "now", lambda: 1001)
        assert campaigns.expired_codes(campaign) == 1
        with pytest.raises(campaign_codes.WrongStatus, match="EXPIRED"):
            campaign_codes.redeem(LIVE, "summer-promo", "a", codes[1], TODAY)


class TestWithdrawing:
    def test_a_code_is_revoked_and_reactivated(self, campaign: Campaign) -> None:
        _, codes = campaign_making.generate(campaign, 2, Plan(5))
        assert revocations.revoke(LIVE, codes[0]).status == "REVOKED"
        assert counts(campaign) == (2, 0, 1, 1)
        with pytest.raises(campaign_codes.WrongStatus, match="REVOKED"):
            campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)
        with pytest.raises(campaign_codes.WrongStatus, match="REVOKED"):
            revocations.revoke(LIVE, codes[0])
        assert revocations.reactivate(LIVE, codes[0]).status == "ACTIVE"
        with pytest.raises(campaign_codes.WrongStatus, match="ACTIVE"):
            revocations.reactivate(LIVE, codes[0])
        assert counts(campaign) == (2, 0, 0, 1)

    def test_a_batch_leaves_used_codes_and_those_revoked_alone(
        self, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(revocations, "CHUNK", 2)
        batch, codes = campaign_making.generate(campaign, 9, Plan(5))
        campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)
        revocations.revoke(LIVE, codes[1])
        assert revocations.revoke_batch(batch) == 7
        assert counts(campaign) == (9, 1, 8, 1)
        assert revocations.reactivate_batch(batch) == 7
        assert counts(campaign) == (9, 1, 1, 1)


class TestBothApis:
    @pytest.fixture
    def codes(self, campaign: Campaign) -> list[str]:
        batch = batches.add("Spring", Terms.of(max_usage=1), prefix="SP-", length=12, requested=3)
        generation.fill(batch, lambda count: None)
        joined = campaign_making.join(campaign, batch.id, 700, UTC)
        return list(campaign_making.codes_of(joined))

    def test_a_code_used_over_rest_is_used_in_the_legacy_api(
        self, campaign: Campaign, codes: list[str]
    ) -> None:
        done = campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)
        assert done.total_points == 700
        coupon = coupons.by_code(codes[0])
        assert (coupon.num_usage, coupon.active) == (1, False)
        with pytest.raises(Conflict):
            redemptions.redeem(coupon, Use(TODAY, 2))
        assert batches.by_id(coupon.batch_id).coupons_used == 1

    def test_the_reverse(self, campaign: Campaign, codes: list[str]) -> None:
        used, _ = redemptions.redeem(coupons.by_code(codes[0]), Use(TODAY, 2))
        with pytest.raises(campaign_codes.WrongStatus, match="REDEEMED"):
            campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)
        assert counts(campaign) == (3, 1, 0, 1)
        releases.release(used.id, TODAY)
        assert counts(campaign) == (3, 0, 0, 1)

    def test_the_counts_follow_changes_in_the_legacy_api(
        self, campaign: Campaign, codes: list[str]
    ) -> None:
        first, second, _ = map(coupons.by_code, codes)
        coupon_life.edit(first.id, TODAY, live=False)
        assert counts(campaign) == (3, 0, 1, 1)
        coupon_life.delete(second.id)
        assert counts(campaign) == (2, 0, 1, 1)
        batch_life.edit(first.batch_id, TODAY, live=False)
        assert counts(campaign) == (2, 0, 2, 1)
        with pytest.raises(Conflict, match="belongs to a campaign"):
            batch_deletion.delete(first.batch_id)

    def test_what_the_legacy_api_ends_is_refused(
        self, campaign: Campaign, codes: list[str]
    ) -> None:
        batch = coupons.by_code(codes[0]).batch_id
        batch_life.edit(batch, TODAY, terms=lambda terms: but(terms, expires=date(2025, 7, 14)))
        with pytest.raises(campaign_codes.WrongStatus, match="EXPIRED"):
            campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)

    def test_the_status_follows_the_last_day_in_the_legacy_api(
        self, campaign: Campaign, codes: list[str]
    ) -> None:
        batch = coupons.by_code(codes[0]).batch_id
        berlin = ZoneInfo("Europe/Berlin")

        def last_day(day: date | None) -> tuple[int | None, str, int]:
            batch_life.edit(batch, TODAY, zone=berlin, terms=lambda old: but(old, expires=day))
            found = campaign_codes.find(LIVE, codes[0])
            assert found
            return found.batch.expires_at, found.status, campaigns.expired_codes(campaign)

        over = int(datetime(2025, 7, 14, 22, tzinfo=UTC).timestamp())
        assert last_day(date(2025, 7, 14)) == (over, "EXPIRED", 3)
        assert last_day(None) == (None, "ACTIVE", 0)
        batch_life.edit(batch, TODAY, zone=berlin, terms=lambda old: but(old, notes="Mailed"))
        assert last_day(date(2125, 7, 14))[1:] == ("ACTIVE", 0)
        campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)

    def test_codes_of_ones_own_are_counted(self, campaign: Campaign, codes: list[str]) -> None:
        coupon = coupons.by_code(codes[0])
        with change():
            own_codes = OwnCodeImport(TODAY, coupon.batch_id)
            terms = coupon.terms_id
            own_codes.put({2: OwnCode("OWN", 1, True, terms), 3: OwnCode("OLD", None, True, terms)})
            own_codes.settle()
        assert counts(campaign) == (5, 0, 1, 1)

    def test_only_codes_for_one_use_join(self, campaign: Campaign) -> None:
        batch = batches.add("Many", Terms.of(max_usage=5))
        with pytest.raises(Invalid, match="one use"):
            campaign_making.join(campaign, batch.id, 5, UTC)


class TestList:
    def test_pages_hold_every_code_once_while_codes_are_added(self, campaign: Campaign) -> None:
        before = set()
        for size in (5, 1, 7):
            before |= set(campaign_making.generate(campaign, size, Plan(5))[1])
        seen: list[str] = []
        cursor = None
        while True:
            lines, cursor = code_list.page(campaign, cursor, 4)
            seen += [line.coupon.code for line in lines]
            if cursor is None:
                break
            campaign_making.generate(campaign, 2, Plan(5))
        assert len(seen) == len(before)
        assert set(seen) == before

    def test_a_status_is_picked_out(self, campaign: Campaign) -> None:
        batch, codes = campaign_making.generate(campaign, 4, Plan(5))
        campaign_codes.redeem(LIVE, "summer-promo", "a", codes[1], TODAY)
        revocations.revoke(LIVE, codes[2])
        picked = {
            status: [line.coupon.code for line in code_list.page(campaign, None, 9, status)[0]]
            for status in campaign_codes.STATUSES
        }
        assert picked == {
            "ACTIVE": [codes[0], codes[3]],
            "REDEEMED": [codes[1]],
            "EXPIRED": [],
            "REVOKED": [codes[2]],
        }
        redeemed = code_list.page(campaign, None, 9, "REDEEMED", batch)[0][0].redemption
        assert redeemed
        assert redeemed.user_id == "a"

    def test_a_page_that_finds_nothing_ends_early_with_a_cursor(
        self, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(code_list, "LOOKED_AT", 5)
        _, codes = campaign_making.generate(campaign, 12, Plan(5))
        campaign_codes.redeem(LIVE, "summer-promo", "a", codes[-1], TODAY)
        lines, cursor = code_list.page(campaign, None, 9, "REDEEMED")
        assert lines == []
        pages = 1
        while cursor:
            lines, cursor = code_list.page(campaign, cursor, 9, "REDEEMED")
            pages += 1
        assert pages == 3
        assert [line.coupon.code for line in lines] == [codes[-1]]


class TestJobs:
    def test_a_job_makes_its_codes_in_chunks(self, campaign: Campaign) -> None:
        job = jobs.add(campaign, 25, Plan(5))
        assert jobs.next_unfinished() == job
        grown: list[int] = []
        jobs.work(job, grown.append, chunk=10)
        assert grown == [10, 10, 5]
        done = jobs.by_uuid(LIVE, job.uuid)
        assert (done.status, done.created, done.error) == (jobs.DONE, 25, None)
        assert jobs.next_unfinished() is None
        assert counts(campaign) == (25, 0, 0, 1)
        assert counters.count(counters.CAMPAIGN_COUPONS) == 25

    def test_one_that_was_stopped_is_finished_by_the_next(self, campaign: Campaign) -> None:
        job = jobs.add(campaign, 25, Plan(5))

        def stop(count: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            jobs.work(job, stop, chunk=10)
        waiting = jobs.next_unfinished()
        assert waiting
        assert (waiting.status, waiting.created) == (jobs.RUNNING, 10)
        jobs.work(waiting, chunk=10)
        assert len(set(campaign_making.codes_of(job.batch))) == 25

    def test_the_codes_are_handed_out_once(self, campaign: Campaign) -> None:
        job = jobs.add(campaign, 2, Plan(5))
        with pytest.raises(Conflict, match="not done"):
            jobs.hand_out(job)
        jobs.work(job)
        job = jobs.by_uuid(LIVE, job.uuid)
        jobs.hand_out(job)
        with pytest.raises(Conflict, match="already"):
            jobs.hand_out(job)
        jobs.handed_out(job, whole=False)
        jobs.hand_out(job)
        jobs.handed_out(job, whole=True)
        with pytest.raises(Conflict, match="already"):
            jobs.hand_out(job)


class TestCampaigns:
    @pytest.mark.parametrize("slug", ["codes", "a", "-ab", "Ab", "a_b", "a" * 64, "é1", "ab\n"])
    def test_what_is_no_slug_is_refused(self, store: Settings, slug: str) -> None:
        with pytest.raises(Invalid):
            campaigns.add(LIVE, slug, "Name")

    def test_a_slug_is_one_of_its_owner(self, campaign: Campaign) -> None:
        with pytest.raises(Conflict):
            campaigns.add(LIVE, "summer-promo", "Again")
        campaigns.add(TEST, "summer-promo", "Other")
        campaigns.add(Owner(partner="other"), "summer-promo", "Other")

    def test_an_edit_leaves_the_counts_alone(self, campaign: Campaign) -> None:
        campaign_making.generate(campaign, 3, Plan(5))
        edited = campaigns.edit(LIVE, "summer-promo", status=campaigns.PAUSED)
        assert not edited.running
        assert edited.codes == 3


def test_a_recount_names_every_difference(campaign: Campaign) -> None:
    _, codes = campaign_making.generate(campaign, 3, Plan(5))
    campaign_codes.redeem(LIVE, "summer-promo", "a", codes[0], TODAY)
    with database.atomic() as transaction:
        Campaign.update(codes=4).execute()
        Player.update(points=6, events=2).execute()
        PlayerBand.update(players=2).execute()
        counters.add(counters.CAMPAIGN_COUPONS, 1)
        CampaignBatch.update(revoked=1).execute()
        assert list(recount.differences()) == [
            ("tally campaign_coupons", 4, 3),
            ("campaign batch 1 revoked", 1, 0),
            ("campaign 1 codes", 4, 3),
            ("campaign 1 revoked", 0, 1),
            ("player 1 points", 6, 5),
            ("player 1 events", 2, 1),
            ("players of campaign 1 in band 5", 2, 0),
            ("players of campaign 1 in band 6", 0, 1),
        ]
        transaction.rollback()
