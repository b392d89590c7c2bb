"""Kept replies without an end: each is limited, and all of one caller."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from peewee import fn

from app import create_app
from app.config import BadSetting, Settings, from_environment
from models.access import accesses, secrets
from models.access.accesses import Pair
from models.campaigns import campaigns
from models.campaigns.campaign_making import GENERATED_MOST
from models.checks import recount
from models.promotions import batch_life
from models.promotions.campaign_counts import CampaignBatch, Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.redemption import Redemption
from models.store import clock, idempotency
from models.store.base import database
from models.store.errors import OverQuota
from models.store.idempotency import KEPT_SECONDS, KeptReply, Quota, Reply, ReplyShare
from tests.app.rest.conftest import SLUG, Caller
from tests.credentials import CREDENTIALS

EACH, ALL = 2_000, 20_000
GENERATE = {"slug": SLUG, "batchSize": 40, "pointsValue": 5}
ADD = {"call": "addPromoCode", "coupon_type": "cart", "type": "percent", "value": "10"}
CODES = "/campaigns/codes"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, kept_reply_bytes=EACH, kept_replies_bytes_of_caller=ALL)


@pytest.fixture(autouse=True)
def _right(store: Settings) -> Iterator[None]:
    """Count anew at the end of each test."""
    yield
    assert list(recount.differences()) == []


@pytest.fixture
def partner(client: FlaskClient) -> Caller:
    campaigns.add(Owner(), SLUG, "Summer")
    return Caller(client, secrets.add(Owner())[1])


def kept() -> int:
    """Return the bytes of all kept replies."""
    return int(KeptReply.select(fn.COALESCE(fn.SUM(fn.LENGTH(KeptReply.body)), 0)).scalar())


def generate(partner: Caller, key: Any, **more: Any) -> tuple[int, str]:
    """Return the status and the error of a keyed request for new codes."""
    headers = {"Idempotency-Key": f"{key}"}
    answer = partner.post(f"{CODES}/generate", GENERATE | more, headers=headers)
    if answer.status_code == 429:
        assert int(answer.headers["Retry-After"]) > 0
    return answer.status_code, answer.get_json().get("error", "")


def ask(client: FlaskClient, **arguments: Any) -> Any:
    return client.get(f"/api.php?{urlencode(CREDENTIALS | arguments)}").get_json()


def test_a_reply_that_is_too_large_is_not_kept_and_nothing_is_done(partner: Caller) -> None:
    assert generate(partner, 1, batchSize=400) == (429, "reply_too_large")
    assert (KeptReply.select().count(), Coupon.select().count()) == (0, 0)
    assert CampaignBatch.select().count() == 0
    assert generate(partner, 1) == (200, "")
    assert len(partner.generate(400)) == 400


def test_replies_fill_what_one_caller_may_have_and_no_more(partner: Caller) -> None:
    answers = [generate(partner, number) for number in range(3 * ALL // EACH)]
    done = answers.count((200, ""))
    assert set(answers) == {(200, ""), (429, "replies_quota")}
    assert ALL // 3 < kept() <= ALL
    assert Coupon.select().count() == done * GENERATE["batchSize"]
    assert KeptReply.select().count() == CampaignBatch.select().count() == done
    first = answers.index((200, ""))
    assert generate(partner, first) == (200, "")  # a replay needs no room
    assert len(partner.generate(40)) == 40  # nor does who sends no key
    assert generate(Caller(partner.client, _secret_of("other")), "x") == (200, "")


def _secret_of(partner: str) -> str:
    campaigns.add(Owner(partner=partner), SLUG, "Summer")
    return secrets.add(Owner(partner=partner))[1]


def test_a_call_over_the_quota_is_a_sentence_and_nothing_is_done(
    store: Settings, client: FlaskClient
) -> None:
    sentences: list[str] = []
    for number in range(400):
        answer = ask(client, **ADD, code=f"CODE{number}", idempotency_key=str(number))
        sentences += answer.get("error", [])
    assert len(set(sentences)) == 1
    assert "idempotency keys" in sentences[0]
    assert kept() <= ALL
    assert Coupon.select().count() == KeptReply.select().count() == 400 - len(sentences)
    other = Pair("aa22334455667788990a", "bbb8c7d6e5f4a3b2c1d0")
    accesses.add("other", other)
    their = {"api_id": other.api_id, "api_key": other.api_key}
    assert ask(client, **ADD | their, code="THEIRS", idempotency_key="1")["success"]


def test_kept_refusals_take_room_too(client: FlaskClient) -> None:
    ask(client, **ADD, code="TAKEN")
    for number in range(400):
        ask(client, **ADD, code="TAKEN", idempotency_key=str(number))
    assert ALL // 2 < kept() <= ALL
    assert Coupon.select().count() == 1


def test_room_comes_back_with_each_reply_that_is_a_day_old(
    partner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    while generate(partner, KeptReply.select().count()) == (200, ""):
        pass
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + KEPT_SECONDS)
    assert generate(partner, 0) == (200, "")  # the key of an old one, which is replaced
    assert generate(partner, "new") == (200, "")
    assert KeptReply.select().count() == 2
    assert kept() == sum(share.size for share in ReplyShare.select())


@pytest.mark.parametrize("round_", range(3))
def test_requests_at_one_moment_do_not_fill_the_same_room_twice(
    store: Settings, round_: int
) -> None:
    quota = Quota("caller", 100, 400)

    def keep(number: int) -> int:
        with database.connection_context():
            try:
                idempotency.once("a", f"{number}", "", lambda: Reply(b"x" * 100), quota)
            except OverQuota:
                return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(keep, range(16))) == 4
    assert kept() == 400


def test_a_use_with_a_key_costs_few_statements_more_than_one_without(
    store: Settings, app: Flask
) -> None:
    client = app.test_client()
    batch = batch_life.make("Spring", Terms.of(coupon_type="cart", max_usage=1), 5)
    codes = [coupon.code for coupon in Coupon.select().where(Coupon.batch_id == batch.id)]
    asked: list[str] = []
    execute = type(database.obj).execute_sql
    counts = []
    for number, code in enumerate(codes):
        more = {"idempotency_key": f"{number}"} if number % 2 else {}
        asked.clear()
        with pytest.MonkeyPatch.context() as patch:

            def noted(self: Any, sql: str, params: Any = None) -> Any:
                asked.append(sql)
                return execute(self, sql, params)

            patch.setattr(type(database.obj), "execute_sql", noted)
            assert ask(client, call="redeemPromoCode", code=code, order_id=number + 1, **more)[
                "success"
            ]
        counts.append(len(asked))
    assert Redemption.select().count() == len(codes)
    # The claim, the look for old replies, the share's bytes, the reply; savepoints and a new share.
    assert max(counts[3::2]) - min(counts[2::2]) <= 9


def test_the_largest_documented_answer_is_always_kept(store: Settings) -> None:
    """Nobody sets a limit under it, and one that is just as large passes."""
    least = 1_310_720
    variable = "PROMOBRIDGE_KEPT_REPLY_BYTES"
    assert from_environment({variable: str(least)}).kept_reply_bytes == least
    for refused in (
        {variable: str(least - 1)},
        {"PROMOBRIDGE_KEPT_REPLIES_BYTES_OF_CALLER": "2097151"},
    ):
        with pytest.raises(BadSetting):
            from_environment(refused)
    app = create_app(replace(store, kept_reply_bytes=least, kept_replies_bytes_of_caller=2 * least))
    partner = Caller(app.test_client(), _secret_of(""))
    assert generate(partner, 1, batchSize=GENERATED_MOST)[0] == 200
    # Each character doubles in JSON, and nearly every line is named with its reason.
    codes = ["\\" * 31 + "A"] * GENERATED_MOST
    body = {"slug": SLUG, "pointsValue": 5, "codes": codes, "skipRejected": True}
    answer = partner.post(f"{CODES}/import", body, headers={"Idempotency-Key": "2"})
    assert answer.status_code == 200
    assert len(answer.get_json()["data"]["rejected"]) == GENERATED_MOST - 1
    assert len(answer.data) > 1_100_000
    app.config["USAGE_LOG"].close()
