"""A pasted list of codes: what would happen, the change, the undo."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from flask import Flask

from models.campaigns import bulk_stops, campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.checks import recount
from models.promotions import batch_life, coupon_life, coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.audit import AuditEntry
from models.store.errors import Conflict, Invalid, NotFound
from tests.app.ui.people import Person

PATH = "/ui/stop"


@pytest.fixture
def codes(app: Flask) -> list[str]:
    """Make codes of both APIs, of which one was used in each."""
    today = clock.today(UTC)
    batch = batch_life.make("Spring", Terms.of(value=10), 3)
    mine = list(Coupon.select().where(Coupon.batch_id == batch.id).order_by(Coupon.id))
    redemptions.redeem(mine[0], Use(today=today, places=2))
    campaign = campaigns.add(Owner(), "promo", "Promo")
    _, theirs = campaign_making.generate(campaign, 2, Plan(5))
    campaign_codes.redeem(Owner(), "promo", "user", theirs[0], today)
    return [*(coupon.code for coupon in mine), *theirs, coupons.add("ALONE", Terms.of()).code]


def working() -> list[bool]:
    query: Any = Coupon.select(Coupon.stopped, Coupon.live).order_by(Coupon.id)
    return [bool(live and not stopped) for stopped, live in query.tuples()]


def test_codes_are_stopped_and_brought_back_as_one_change(app: Flask, codes: list[str]) -> None:
    person = Person(app, "operator", "otto")
    pasted = "\r\n".join([*(f" {code.lower()} " for code in codes), "NOBODY'S", codes[0], ""])
    form = {"codes": pasted, "reason": "leaked <b>"}
    page = person.post(PATH, form)
    assert "6 found, 1 unknown, 2 used already." in page.text
    assert "1 code of the REST API were redeemed and stay so." in page.text
    assert "nobody&#39;s" in page.text.lower()
    assert working() == [True] * 6
    done = person.post(PATH, form | {"confirmed": "1"})
    assert working() == [False, False, False, True, False, False]
    assert list(recount.differences()) == []
    entry = AuditEntry.get(AuditEntry.subject_kind == "codes")
    assert (entry.subject, entry.reason, entry.actor) == ("5 codes", "leaked <b>", "otto")
    assert done.location == f"{PATH}/{entry.id}"
    # What somebody has changed since is theirs: this one was made active and is used by now.
    first = Coupon.get(Coupon.code == codes[0])
    coupon_life.edit(first.id, clock.today(UTC), active=True)
    assert person.post(f"{PATH}/{entry.id}/undo", at=done.location).status_code == 303
    assert working() == [True] * 6
    assert list(recount.differences()) == []
    assert "It was undone" in person.text(done.location)
    with pytest.raises(Conflict):
        bulk_stops.undo(entry.id, clock.today(UTC))


def test_nothing_to_stop(operator: Person, codes: list[str]) -> None:
    form = {"codes": "NONE", "reason": "x"}
    assert "0 found, 1 unknown" in operator.post(PATH, form).text
    assert operator.post(PATH, form | {"confirmed": "1"}).location == PATH
    assert working() == [True] * 6
    assert operator.post(PATH, {"codes": "", "reason": ""}).status_code == 400
    assert operator.text(f"{PATH}/999", 404)
    with pytest.raises(NotFound):
        bulk_stops.undo(999, clock.today(UTC))


def test_a_list_is_bounded(operator: Person) -> None:
    many = "\n".join(str(each) for each in range(bulk_stops.MOST + 1))
    response = operator.post(PATH, {"codes": many, "reason": "x"})
    assert response.status_code == 400
    assert "A list has 5,000 codes at most, this has 5,001" in response.text
    with pytest.raises(Invalid):
        bulk_stops.read(many)
    token = operator.client.get(PATH).text.split('name="csrf_token"')[1].split('value="')[1]
    huge = {"csrf_token": token.split('"')[0], "codes": "x" * 1_400_000, "reason": "x"}
    assert operator.client.post(PATH, data=huge).status_code in (400, 413)


def test_an_undo_fits_the_store_on_every_engine(app: Flask) -> None:
    batch = batch_life.make("Large", Terms.of(), bulk_stops.MOST)
    ids = [coupon.id for coupon in Coupon.select().where(Coupon.batch_id == batch.id)]
    entry = bulk_stops.stop(ids)
    assert entry is not None
    assert not any(working())
    assert bulk_stops.undo(entry.id, clock.today(UTC)) == len(ids)
    assert all(working())
