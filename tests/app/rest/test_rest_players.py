"""What a redemption changes is seen: participants, ranks, leaderboards; campaigns and one code."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from app import create_app
from app.config import Settings
from models.access import secrets
from models.campaigns import campaign_codes, campaigns
from models.checks import recount
from models.promotions.campaign_counts import Campaign, Owner
from models.redemptions import players
from models.redemptions.players import Player, band_of, least_above
from models.store import clock
from models.store.base import change, database
from tests.app.rest.conftest import LIVE, SLUG, Caller

BOARD = f"/campaigns/{SLUG}/leaderboard"


def shown(caller: Caller, user: str) -> dict[str, object]:
    data: dict[str, object] = caller.read(f"/campaigns/{SLUG}/participants/{quote(user, safe='')}")
    return data


def earn(caller: Caller, user: str, *points: int) -> list[str]:
    """Let a user redeem a code for each of these points; return the redemptions."""
    done = []
    for each in points:
        [code] = caller.generate(1, each)
        done.append(caller.redeem(code, user).get_json()["data"]["redemptionId"])
    return done


def test_a_participant_has_points_a_rank_and_a_name(live: Caller) -> None:
    earn(live, "anna", 500, 250)
    earn(live, "eva", 800)
    anna = shown(live, "anna")
    joined = datetime.fromisoformat(str(anna.pop("joinedAt")))
    assert 0 <= clock.now() - joined.timestamp() < 60
    assert anna == {
        "userId": "anna",
        "displayName": None,
        "totalPoints": 750,
        "eventsCount": 2,
        "rank": 2,
    }
    assert shown(live, "eva")["rank"] == 1


def test_a_name_comes_with_a_redemption_and_the_last_one_counts(live: Caller) -> None:
    for name in ("Anna", "Ania", None):
        [code] = live.generate()
        body = {"userId": "anna", "code": code} | ({"displayName": name} if name else {})
        assert live.post(f"/campaigns/{SLUG}/redeem", body).status_code == 200
    assert shown(live, "anna")["displayName"] == "Ania"
    [code] = live.generate()
    for wrong in ("", "x" * 256, "a\nb", 5, None):
        body = {"userId": "anna", "code": code, "displayName": wrong}
        assert live.post(f"/campaigns/{SLUG}/redeem", body).status_code == 400
    assert live.verify(code)["valid"]


def test_equal_points_share_a_rank(live: Caller) -> None:
    for user, points in (("a", 500), ("b", 300), ("c", 500), ("d", 100)):
        earn(live, user, points)
    data = live.read(BOARD)
    assert [(each["userId"], each["rank"]) for each in data["entries"]] == [
        ("c", 1),
        ("a", 1),
        ("b", 3),
        ("d", 4),
    ]
    assert data["totalParticipants"] == 4
    assert [shown(live, user)["rank"] for user in "abcd"] == [1, 3, 1, 4]
    assert [each["userId"] for each in live.read(BOARD, limit=2)["entries"]] == ["c", "a"]


def test_a_rollback_takes_points_and_events_and_the_player_stays(live: Caller) -> None:
    first, second = earn(live, "anna", 500, 200)
    earn(live, "eva", 300)
    for redemption in (first, second):
        path = f"/campaigns/{SLUG}/redemptions/{redemption}/rollback"
        assert live.post(path).status_code == 200
        assert live.post(path).status_code == 409
    anna = shown(live, "anna")
    assert (anna["totalPoints"], anna["eventsCount"], anna["rank"]) == (0, 0, 2)
    assert live.read(BOARD)["totalParticipants"] == 2
    assert list(recount.differences()) == []


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", ""])
def test_a_wrong_limit_is_a_field_error(live: Caller, limit: str) -> None:
    answer = live.get(BOARD, limit=limit)
    assert (answer.status_code, list(answer.get_json()["errors"])) == (400, ["limit"])


def test_what_there_is_not_is_not_found(live: Caller, test: Caller) -> None:
    earn(live, "anna", 5)
    wanted = "Campaign or participant not found"
    for caller, path in (
        (live, f"/campaigns/{SLUG}/participants/eva"),
        (live, "/campaigns/other/participants/anna"),
        (test, f"/campaigns/{SLUG}/participants/anna"),
    ):
        answer = caller.get(path)
        assert (answer.status_code, answer.get_json()["message"]) == (404, wanted)
    assert live.get("/campaigns/other/leaderboard").get_json()["message"] == "Campaign not found"
    assert live.read(BOARD)["entries"] != []
    assert live.get(f"/campaigns/{SLUG}/participants/").status_code == 404


@pytest.mark.parametrize("user", ["żaneta", "a/b", "a b", "50%", "?x=1", "#", "..", "x" * 255])
def test_a_user_of_any_id_is_found(live: Caller, user: str) -> None:
    earn(live, user, 5)
    assert shown(live, user)["userId"] == user


def test_campaigns_are_listed_by_pages_of_their_owner(live: Caller, test: Caller) -> None:
    _, text = secrets.add(Owner(partner="acme"))
    acme = Caller(live.client, text)
    for number in range(4):
        campaigns.add(LIVE, f"promo-{number}", "Promo")
    campaigns.add(Owner(partner="acme"), "theirs", "Theirs")
    seen, cursor = [], {}
    while True:
        page = live.read("/campaigns", limit=2, **cursor)
        seen += [each["slug"] for each in page["campaigns"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert seen == [*(f"promo-{number}" for number in range(4)), SLUG]
    assert [each["slug"] for each in acme.read("/campaigns")["campaigns"]] == ["theirs"]
    made = live.read("/campaigns", limit=1)["campaigns"][0]
    assert (made["environment"], made["status"], made["name"]) == ("LIVE", "ACTIVE", "Promo")
    assert live.get("/campaigns", limit=101).status_code == 400


def test_a_code_is_looked_up_in_full(live: Caller, test: Caller) -> None:
    code, other = live.generate(2)
    redemption = live.redeem(code, "anna").get_json()["data"]["redemptionId"]
    data = live.data("/campaigns/codes/lookup", {"code": f" {code.lower().replace('-', ' ')} "})
    assert (data["code"], data["status"], data["pointsValue"]) == (code, "REDEEMED", 500)
    assert (data["redeemedBy"], data["redemptionId"]) == ("anna", redemption)
    assert (data["campaign"]["slug"], data["batch"]["batchSize"]) == (SLUG, 2)
    unused = live.data("/campaigns/codes/lookup", {"code": other})
    assert (unused["status"], unused["redeemedBy"], unused["redeemedAt"]) == ("ACTIVE", None, None)
    for caller, text in ((test, code), (live, "SUMM-AAAABBBB")):
        answer = caller.post("/campaigns/codes/lookup", {"code": text})
        assert (answer.status_code, answer.get_json()["message"]) == (404, "Code not found")
    assert live.post("/campaigns/codes/lookup", {}).status_code == 400


def test_looking_up_codes_that_there_are_not_is_guessing(live: Caller, settings: Settings) -> None:
    strict = create_app(replace(settings, wrong_codes_of_caller_per_minute=9))
    guesser = Caller(strict.test_client(), live.secret)
    [code] = live.generate()
    statuses = [
        guesser.post("/campaigns/codes/lookup", {"code": f"SUMM-AAAA{number:04}"}).status_code
        for number in range(11)
    ]
    assert statuses == [404] * 9 + [429] * 2
    assert guesser.post("/campaigns/codes/lookup", {"code": code}).status_code == 429


def test_bands_are_ranges_of_points_without_gaps() -> None:
    band = band_of(0)
    for points in range(1, 40_000):
        now = band_of(points)
        assert now in (band, band + 1)
        if now > band:
            assert least_above(band) == points
        band = now
    assert band_of(2**63 - 1) < 4_000
    assert band_of(-7) == 0


def test_ranks_are_those_of_a_sorted_list(store: Settings) -> None:
    campaign = campaigns.add(LIVE, SLUG, "Summer")
    chance = random.Random(3)  # noqa: S311  # numbers of a test
    totals: Counter[str] = Counter()
    for _ in range(400):
        user, points = f"user-{chance.randrange(60)}", chance.choice((1, 50, 128, 130, 9_000))
        sign = -1 if totals[user] >= points and chance.random() < 0.3 else 1
        with change():
            players.add(campaign.id, user, points, sign)
        totals[user] += sign * points
    ordered = sorted(totals.values(), reverse=True)
    for user, points in totals.items():
        found = players.standing(campaign.id, user)
        assert found is not None
        assert (found.player.points, found.rank) == (points, ordered.index(points) + 1)
    leaders = players.leaders(campaign.id, 100)
    assert [each.player.points for each in leaders] == ordered
    assert [each.rank for each in leaders] == [ordered.index(each) + 1 for each in ordered]
    assert players.participants(campaign.id) == len(totals)


def test_first_redemptions_at_once_make_one_participant(live: Caller, campaign: Campaign) -> None:
    codes = live.generate(8)

    def redeem(code: str) -> None:
        with database.connection_context():
            campaign_codes.redeem(LIVE, SLUG, "anna", code, clock.today(UTC))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(redeem, codes))
    assert Player.select().count() == 1
    found = players.standing(campaign.id, "anna")
    assert found is not None
    assert (found.player.points, found.player.events, found.rank) == (4000, 8, 1)
    assert players.participants(campaign.id) == 1
    assert list(recount.differences()) == []
