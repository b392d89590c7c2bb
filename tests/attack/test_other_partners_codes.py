"""Codes of others are not told by what may not be taken: who finds them guesses, and is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings
from models.access import secrets
from models.campaigns import campaign_making, campaigns, revocations
from models.campaigns.campaign_making import Plan
from models.checks import recount
from models.promotions import batch_life, batches, coupons
from models.promotions.campaign_counts import CampaignBatch, Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store.idempotency import KeptReply
from tests.app.rest.conftest import SLUG, Caller
from tests.credentials import CREDENTIALS

CODES = "/campaigns/codes"
MOST = 20
"""Unknown codes in a minute that lock one user out."""
GUESSED = 1_000
LIST = 100
ONE_IN = 4
ADD = {"coupon_type": "cart", "type": "percent", "value": "10"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, wrong_codes_per_minute=MOST, wrong_codes_of_caller_per_minute=3 * MOST)


@pytest.fixture
def mine(client: FlaskClient) -> Caller:
    return caller(client, "mine")


def caller(client: FlaskClient, partner: str) -> Caller:
    campaigns.add(Owner(partner=partner), SLUG, "Summer")
    return Caller(client, secrets.add(Owner(partner=partner))[1])


def text(number: int) -> str:
    return f"WELCOME-{number:06}"


def of_a_partner(codes: list[str]) -> None:
    theirs = campaigns.add(Owner(partner="theirs"), SLUG, "Theirs")
    campaign_making.import_codes(theirs, codes, Plan(5), False)


def of_the_legacy_api(codes: list[str]) -> None:
    for code in codes:
        coupons.add(code, Terms.of())


def body(codes: list[str], skip: bool = False) -> dict[str, Any]:
    return {"slug": SLUG, "pointsValue": 5, "codes": codes, "skipRejected": skip}


def refused(answer: Any) -> bool:
    """Tell whether an answer is that of the limit, which names no code."""
    if answer.status_code != 429:
        return False
    assert answer.get_json()["error"] == "too_many_requests"
    assert "errors" not in answer.get_json()
    assert int(answer.headers["Retry-After"]) > 0
    return True


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("theirs", [of_a_partner, of_the_legacy_api])
def test_lists_of_guesses_find_no_more_than_single_guesses_may(
    mine: Caller, theirs: Callable[[list[str]], None], skip: bool
) -> None:
    theirs([text(number) for number in range(0, GUESSED, ONE_IN)])
    found: set[str] = set()
    wide = [[text(number) for number in range(at, at + 12)] for at in range(0, GUESSED, 12)]
    for codes in wide:
        answer = mine.post(f"{CODES}/import", body(codes, skip))
        if refused(answer):
            continue
        value = answer.get_json()
        named = [each["code"] for each in value["data"]["rejected"]] if skip else value["errors"]
        found |= set(named)
    assert 0 < len(found) <= MOST
    elsewhere = {"REMOTE_ADDR": "203.0.113.9"}
    assert refused(mine.post(f"{CODES}/import", body(["MINE"]), environ_overrides=elsewhere))
    assert list(recount.differences()) == []


@pytest.mark.parametrize("keyed", [{}, {"Idempotency-Key": "k"}])
def test_a_list_over_the_limit_changes_nothing_and_names_nothing(
    mine: Caller, keyed: dict[str, str]
) -> None:
    of_a_partner([text(number) for number in range(MOST + 1)])
    before = Coupon.select().count()
    wanted = [text(number) for number in range(LIST)]
    answer = mine.post(f"{CODES}/import", body(wanted, True), headers=keyed)
    assert refused(answer)
    assert (Coupon.select().count(), CampaignBatch.select().count()) == (before, 1)
    assert KeptReply.select().count() == 0
    assert not any(code in answer.text for code in wanted)


def test_clashes_with_what_is_ones_own_are_never_counted(mine: Caller) -> None:
    codes = [text(number) for number in range(LIST)]
    assert mine.data(f"{CODES}/import", body(codes))["count"] == LIST
    generated = mine.generate(2)
    for _ in range(3):
        answer = mine.post(f"{CODES}/import", body([*codes, *generated, "A", "A"]))
        assert answer.status_code == 409
        errors = answer.get_json()["errors"]
        assert len(errors) == LIST + 3
        assert errors["codes.0"] == errors[f"codes.{LIST}"] == ["exists already"]
        assert errors[f"codes.{LIST + 3}"] == ["is in the list twice"]


def test_codes_of_a_legacy_batch_that_joined_are_ones_own(mine: Caller) -> None:
    batch = batch_life.make("Spring", Terms.of(max_usage=1), 2 * MOST)
    campaign = campaigns.by_slug(Owner(partner="mine"), SLUG)
    campaign_making.join(campaign, batch.id, 5, UTC)
    codes = [each.code for each in Coupon.select().where(Coupon.batch_id == batch.id)]
    assert mine.post(f"{CODES}/import", body(codes)).status_code == 409


def test_a_kept_refusal_is_counted_once(mine: Caller) -> None:
    of_a_partner([text(number) for number in range(MOST)])
    key = {"Idempotency-Key": "k"}
    asked = body([text(number) for number in range(MOST - 1)])
    first = mine.post(f"{CODES}/import", asked, headers=key)
    assert first.status_code == 409
    for _ in range(5):
        again = mine.post(f"{CODES}/import", asked, headers=key)
        assert (again.status_code, again.data) == (409, first.data)
    assert mine.post(f"{CODES}/import", body([text(MOST - 1)])).status_code == 409
    assert refused(mine.post(f"{CODES}/import", body([text(MOST - 1)])))


def test_a_refusal_of_the_limit_is_not_kept(store: Settings, mine: Caller) -> None:
    of_a_partner([text(number) for number in range(MOST + 1)])
    key = {"Idempotency-Key": "k"}
    asked = body([text(number) for number in range(MOST + 1)])
    assert refused(mine.post(f"{CODES}/import", asked, headers=key))
    later = create_app(replace(store, wrong_codes_per_minute=0))  # as after the lockout
    answer = Caller(later.test_client(), mine.secret).post(f"{CODES}/import", asked, headers=key)
    assert answer.status_code == 409
    later.config["USAGE_LOG"].close()


def test_codes_that_come_back_tell_no_more_of_others(mine: Caller) -> None:
    owner = Owner(partner="mine")
    codes = [text(number) for number in range(MOST + 2)]
    assert mine.data(f"{CODES}/import", body(codes))["count"] == len(codes)
    for code in codes:
        revocations.revoke(owner, code)
    of_the_legacy_api(codes)
    answers = [mine.post(f"{CODES}/reactivate", {"code": code}) for code in codes]
    assert [answer.get_json()["error"] for answer in answers[:MOST]] == ["code_exists"] * MOST
    assert all(refused(answer) for answer in answers[MOST:])
    batch = CampaignBatch.get()
    assert refused(mine.post(f"{CODES}/reactivate", {"batchId": batch.uuid}))


@pytest.mark.parametrize("path", ["revoke", "reactivate"])
def test_guesses_at_what_to_withdraw_are_counted_with_those_of_verify(
    mine: Caller, path: str
) -> None:
    statuses = [
        mine.post(f"{CODES}/{path}", {"code": text(number)}).status_code
        for number in range(3 * MOST + 2)
    ]
    assert statuses == [404] * 3 * MOST + [429] * 2
    assert refused(mine.post(f"{CODES}/verify", {"code": text(0)}))


class TestLegacy:
    """The other dialect is told of REST codes that it does not see, as often as it may guess."""

    def ask(self, app: Flask, name: str, **arguments: Any) -> int:
        data = CREDENTIALS | {"call": name} | arguments
        return app.test_client().post("/api.php", data=data).status_code

    def test_codes_that_cannot_be_added(self, app: Flask) -> None:
        of_a_partner([text(number) for number in range(3 * MOST + 2)])
        statuses = [
            self.ask(app, "addPromoCode", **ADD, code=text(number))
            for number in range(3 * MOST + 2)
        ]
        assert statuses == [200] * 3 * MOST + [429] * 2
        assert Coupon.select().where(Coupon.batch_id == coupons.ALONE).count() == 0

    def test_codes_that_a_coupon_cannot_be_given(self, app: Flask) -> None:
        of_a_partner([text(number) for number in range(3 * MOST + 1)])
        coupon = coupons.add("MINE", Terms.of())
        statuses = [
            self.ask(app, "updatePromoCode", **ADD | {"id": coupon.id, "code": text(number)})
            for number in range(3 * MOST + 1)
        ]
        assert statuses == [200] * 3 * MOST + [429]
        assert Coupon.get_by_id(coupon.id).code == "MINE"

    def test_codes_of_ones_own_are_never_counted(self, app: Flask) -> None:
        coupons.add("MINE", Terms.of())
        statuses = {self.ask(app, "addPromoCode", **ADD, code="MINE") for _ in range(4 * MOST)}
        assert statuses == {200}

    def test_coupons_that_cannot_be_live_again(self, app: Flask) -> None:
        of_a_partner([text(0)])
        archived = coupons.add(text(0), Terms.of(), live=False)
        statuses = [
            self.ask(app, "editPromoCode", id=archived.id, status="Active")
            for _ in range(3 * MOST + 1)
        ]
        assert statuses == [200] * 3 * MOST + [429]
        assert Coupon.get_by_id(archived.id).live is None

    def test_batches_that_cannot_be_live_again(self, app: Flask) -> None:
        batch = batch_life.make("Spring", Terms.of(), 2)
        first = Coupon.get(Coupon.batch_id == batch.id).code
        assert self.ask(app, "editPromoBatch", id=batch.id, status="Archived") == 200
        of_a_partner([first])
        statuses = [
            self.ask(app, "editPromoBatch", id=batch.id, status="Active")
            for _ in range(3 * MOST + 1)
        ]
        assert statuses == [200] * 3 * MOST + [429]
        assert not batches.by_id(batch.id).live
