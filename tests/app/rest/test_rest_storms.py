"""Many at once, against a real server: one winner, one batch, and floods that slow nobody else."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest

from models.access import secrets
from models.campaigns import campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.checks import recount
from models.promotions.campaign_counts import Campaign, CampaignBatch
from models.promotions.coupons import Coupon
from models.redemptions.players import Player
from models.redemptions.redemption import Redemption
from tests.app.rest.conftest import LIVE
from tests.concurrency.clients import bound_store
from tests.serving import Server, served

CLIENTS = 32
Answer = tuple[int, bytes, dict[str, str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a store to all tests here; each makes a campaign of its own."""
    folder = tmp_path_factory.mktemp("storms")
    limits = {
        "PROMOBRIDGE_WRONG_CREDENTIALS_PER_MINUTE": "20",
        "PROMOBRIDGE_WRONG_CODES_OF_CALLER_PER_MINUTE": "20",
    }
    with bound_store(folder), served(folder, **limits) as server:
        yield server


@pytest.fixture
def campaign(server: Server) -> Iterator[Campaign]:
    """Make the campaign; whatever storm there was, every kept count is right after it."""
    yield campaigns.add(LIVE, f"storm-{Campaign.select().count()}", "Storm")
    assert list(recount.differences()) == []


def post(
    server: Server, secret: str, path: str, body: Any, headers: dict[str, str] | None = None
) -> Answer:
    """Return status, body and headers of an answer."""
    connection = HTTPConnection(*server.address, timeout=60)
    sent = {"X-API-Secret": secret, "Content-Type": "application/json"} | (headers or {})
    try:
        connection.request("POST", f"/v1{path}", json.dumps(body), sent)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_two_hundred_redeems_of_one_code_have_one_winner(
    server: Server, campaign: Campaign
) -> None:
    _, secret = secrets.add(LIVE)
    _, (code,) = campaign_making.generate(campaign, 1, Plan(500))

    def redeem(number: int) -> Answer:
        body = {"userId": f"user-{number % 7}", "code": code}
        return post(server, secret, f"/campaigns/{campaign.slug}/redeem", body)

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(redeem, range(200)))
    assert Counter(status for status, *_ in answers) == {200: 1, 409: 199}
    assert {json.loads(body)["message"] for status, body, _ in answers if status == 409} == {
        "Code status is REDEEMED"
    }
    (redemption,) = Redemption.select().where(Redemption.campaign_id == campaign.id)
    (player,) = Player.select().where(Player.campaign_id == campaign.id)
    assert (player.user_id, player.points) == (redemption.user_id, 500)
    assert Campaign.get_by_id(campaign.id).redeemed == 1
    assert Coupon.get(code=code).num_usage == 1


def test_generates_at_once_with_one_key_make_one_batch(server: Server, campaign: Campaign) -> None:
    _, secret = secrets.add(LIVE)
    body = {"slug": campaign.slug, "batchSize": 2000, "pointsValue": 5}

    def generate(_: int) -> Answer:
        key = {"Idempotency-Key": "one"}
        return post(server, secret, "/campaigns/codes/generate", body, key)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(generate, range(8)))
    assert {status for status, *_ in answers} == {200}
    assert len({body for _, body, _ in answers}) == 1
    (batch,) = CampaignBatch.select().where(CampaignBatch.campaign_id == campaign.id)
    made = Coupon.select().where(Coupon.batch_id == batch.batch_id).count()
    assert made == Campaign.get_by_id(campaign.id).codes == 2000


def test_imports_of_the_same_codes_at_once_have_one_winner(
    server: Server, campaign: Campaign
) -> None:
    _, secret = secrets.add(LIVE)
    codes = [f"{campaign.slug}-{number}" for number in range(500)]
    body = {"slug": campaign.slug, "pointsValue": 5, "codes": codes}

    def bring(_: int) -> int:
        return post(server, secret, "/campaigns/codes/import", body)[0]

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(bring, range(8)))
    assert statuses == {200: 1, 409: 7}
    assert Campaign.get_by_id(campaign.id).codes == 500


def test_many_users_redeem_many_codes(server: Server, campaign: Campaign) -> None:
    _, secret = secrets.add(LIVE)
    _, codes = campaign_making.generate(campaign, 100, Plan(3))

    def redeem(number: int) -> int:
        body = {"userId": f"user-{number % 5}", "code": codes[number // 2]}
        return post(server, secret, f"/campaigns/{campaign.slug}/redeem", body)[0]

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = Counter(pool.map(redeem, range(200)))
    assert statuses == {200: 100, 409: 100}
    players = Player.select().where(Player.campaign_id == campaign.id)
    assert sum(player.points for player in players) == 300
    assert Campaign.get_by_id(campaign.id).redeemed == 100


@pytest.mark.parametrize("kind", ["secrets", "codes"])
def test_a_flood_is_throttled_and_slows_nobody_else(
    server: Server, campaign: Campaign, kind: str
) -> None:
    _, guesser = secrets.add(LIVE)
    _, secret = secrets.add(LIVE)
    _, (code,) = campaign_making.generate(campaign, 1, Plan(5))
    path = "/campaigns/codes/verify"

    def guess(number: int) -> Answer:
        if kind == "secrets":
            return post(server, f"sk_live_{number:032x}", path, {"code": code})
        return post(server, guesser, path, {"code": f"STOR-{number}"})

    with ThreadPoolExecutor(8) as pool:
        flood = pool.map(guess, range(300))
        took = []
        for _ in range(20):
            began = time.monotonic()
            assert post(server, secret, path, {"code": code})[0] == 200
            took.append(time.monotonic() - began)
        answers = list(flood)
    throttled = [headers for status, _, headers in answers if status == 429]
    # Each of the two processes counts by itself.
    assert len(throttled) >= 300 - 2 * 20 - 8
    assert all(1 <= int(headers["Retry-After"]) <= 300 for headers in throttled)
    assert sorted(took)[len(took) // 2] < 1
