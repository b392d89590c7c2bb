"""Refused tries: what is kept of them, and how many."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from app.config import Settings
from models.access import refused_tries
from models.access.refused_tries import OVER_QUOTA, RefusedTry, Try
from models.campaigns import campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.promotions import coupons
from models.promotions.campaign_counts import Owner
from models.promotions.terms import Terms
from models.store.base import database

DAY = 1_700_006_400


def test_a_code_that_there_is_is_named_by_its_id_and_no_other_in_full(store: Settings) -> None:
    mine = coupons.add("SPRING-2026", Terms.of())
    campaign = campaigns.add(Owner(), "promo", "Promo")
    code = campaign_making.generate(campaign, 1, Plan(5))[1][0]
    tries = [
        Try(DAY, "redeemPromoCode", " spring-2026", "code_expired", client_id=7),
        Try(DAY, "redeemPromoCode", "SPRING-2O26", "code_not_found"),
        Try(DAY, "validatePromoCode", "SHORT", "code_not_found"),
        Try(DAY, "redeem", code, "code_redeemed", user_id="u" * 300, owner=Owner()),
    ]
    refused_tries.write(tries, 10)
    kept = list(RefusedTry.select().order_by(RefusedTry.id))
    assert [each.coupon_id for each in kept[:3]] == [mine.id, 0, 0]
    assert kept[3].coupon_id > mine.id
    assert [each.code for each in kept[1:3]] == ["SP…26", "S…"]
    assert not {code, "SPRING-2O26", "SHORT"} & {each.code for each in kept}
    assert [each.face for each in kept] == [0, 0, 0, 1]
    assert [each.client_id for each in refused_tries.of_coupon(mine.id, 5)] == [7]


def test_what_is_over_the_quota_of_a_day_is_counted(store: Settings) -> None:
    coupons.add("MINE", Terms.of())

    def put(at: int, times: int) -> None:
        refused_tries.write([Try(at, "redeemPromoCode", "MINE", "code_expired")] * times, 3)

    put(DAY, 2)
    put(DAY + 86_399, 4)
    put(DAY + 86_399, 5)
    put(DAY + 86_400, 1)
    over = RefusedTry.get(RefusedTry.reason == OVER_QUOTA)
    # The row that counts is one of the day's, and so takes the place of no other.
    assert (over.at, over.times) == (DAY, 8)
    assert RefusedTry.select().where(RefusedTry.reason != OVER_QUOTA).count() == 4


def test_who_guesses_codes_leaves_room_for_those_that_there_are(store: Settings) -> None:
    coupons.add("MINE", Terms.of())
    for who in ("a", "b", "c"):
        guess = Try(DAY, "redeemPromoCode", "GUESSED", "code_not_found", who=who)
        refused_tries.write([guess] * 30, 40)
    mine = Try(DAY, "redeemPromoCode", "MINE", "code_expired", who="a")
    refused_tries.write([mine] * 30, 40)
    kept = RefusedTry.select().where(RefusedTry.reason != OVER_QUOTA)
    counts = Counter((each.who, each.coupon_id != 0) for each in kept)
    assert counts == {("a", False): 10, ("b", False): 10, ("a", True): 20}
    assert RefusedTry.get(RefusedTry.reason == OVER_QUOTA).times == 20 + 20 + 30 + 10


def test_writers_at_once_keep_to_the_quota(store: Settings) -> None:
    coupons.add("MINE", Terms.of())
    at_once = threading.Barrier(4)

    def put(number: int) -> None:
        at_once.wait()
        with database.connection_context():
            for _ in range(5):
                refused_tries.write([Try(DAY, "redeemPromoCode", "MINE", "code_expired")] * 4, 50)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(4)))
    assert RefusedTry.select().where(RefusedTry.reason != OVER_QUOTA).count() == 50
    assert RefusedTry.get(RefusedTry.reason == OVER_QUOTA).times == 30


def test_old_ones_go(store: Settings) -> None:
    refused_tries.write([Try(DAY + each, "verify", "X", "code_not_found") for each in (0, 9)], 9)
    assert refused_tries.prune(DAY + 5) == 1
    assert [each.at for each in RefusedTry.select()] == [DAY + 9]
