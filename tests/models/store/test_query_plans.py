"""A question about one thing costs the same among millions: it goes through a narrow index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from app.config import Settings
from models.campaigns import campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.promotions import batch_life, batches, coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemption_log, redemptions
from models.redemptions.use_rules import Use
from models.store import visibility
from models.store.base import change, database
from tests import stores

pytestmark = stores.about_sqlite
TODAY = date(2026, 1, 1)
WIDE = {"coupon_realm_id", "redemption_realm_id", "batch_realm_id"}
"""Indexes that hold all rows of an API: for lists only."""
QUESTIONS: dict[str, Callable[[str], object]] = {
    "by code": lambda code: coupons.by_code("A"),
    "row by code": lambda code: coupons.row_by_code(("id",), "A"),
    "named": lambda code: coupons.by_code_or_id("A"),
    "named by id": lambda code: coupons.by_code_or_id("1"),
    "by id": lambda code: coupons.by_id(1),
    "redeem": lambda code: redemptions.redeem(
        coupons.by_code("A"), Use(today=TODAY, places=2, client_id=3, invoice_id=5)
    ),
    "log of a code": lambda code: redemption_log.newest(0, 10, 1, code="A"),
    "log of a client": lambda code: redemption_log.newest(0, 10, 1, client_id=3),
    "verify": lambda code: campaign_codes.find(Owner(), code),
    "verify a code that there is not": lambda code: campaign_codes.find(Owner(), "PROM-AAAABBBB"),
    "redeem for points": lambda code: campaign_codes.redeem(Owner(), "promo", "u", code, TODAY),
}


@pytest.fixture
def code(store: Settings) -> str:
    """Make a coupon A with the id 1, and return a code of a campaign."""
    coupons.add("A", Terms.of(coupon_type="invoice_cart", max_client_usage=2))
    campaign = campaigns.add(Owner(), "promo", "Promo")
    return campaign_making.generate(campaign, 1, Plan(5))[1][0]


def asked_by(deed: Callable[[], object]) -> list[str]:
    """Return the statements that a deed runs."""
    asked: list[str] = []
    connection = database.connection()
    connection.set_trace_callback(asked.append)
    deed()
    connection.set_trace_callback(None)
    return asked


@pytest.mark.parametrize(
    "owner", [Owner(visibility.TEST), Owner(partner="other")], ids=["environment", "partner"]
)
def test_a_code_of_others_takes_the_questions_of_one_that_there_is_not(
    code: str, owner: Owner
) -> None:
    theirs = campaign_making.generate(campaigns.add(owner, "promo", "P"), 1, Plan(5))[1][0]
    found = []
    for text in (theirs, "PROM-AAAABBBB"):
        found.append(asked_by(lambda text=text: campaign_codes.find(Owner(), text)))
        assert campaign_codes.find(Owner(), text) is None
    assert len(found[0]) == len(found[1]) > 0


def test_a_use_asks_no_more_than_it_must(code: str) -> None:
    batch_life.make("Batch", Terms.of(coupon_type="invoice"), 2)
    first, second = Coupon.select().where(Coupon.batch_id != coupons.ALONE).order_by(Coupon.id)[-2:]
    use = Use(today=TODAY, places=2, invoice_id=5)
    redemptions.redeem(coupons.by_code_or_id(first.code), use)  # reads the terms
    asked = asked_by(lambda: redemptions.redeem(coupons.by_code_or_id(second.code), use))
    words = [sql.split()[0] for sql in asked]
    assert [word for word in words if word != "PRAGMA"] == [
        "SELECT",  # the coupon
        "SELECT",  # the campaign of its batch
        "BEGIN",
        "UPDATE",  # the coupon
        "INSERT",  # the redemption
        "UPDATE",  # the batch
        "UPDATE",  # the sum of its day
        "SELECT",  # who wants to be told
        "COMMIT",
    ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_looks_through_a_list(code: str, question: str) -> None:
    connection = database.connection()
    asked = asked_by(lambda: QUESTIONS[question](code))
    looked_up = [
        sql
        for sql in asked
        # Of webhooks there are 100 at most.
        if sql.startswith(("SELECT", "UPDATE")) and 'FROM "webhook"' not in sql
    ]
    assert looked_up
    for sql in looked_up:
        steps = [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
        gathered = {f"SCAN {step.split()[-1]}" for step in steps if step.startswith("CO-ROUTINE")}
        steps = [step for step in steps if step not in gathered]  # what is found, in one row
        wide = [step for step in steps if step.startswith("SCAN") or WIDE & set(step.split())]
        assert not wide, (sql, steps)


def test_a_live_code_is_found_by_one_question_and_without_sorting(code: str) -> None:
    coupons.add("A", Terms.of(), live=False)
    [sql] = asked_by(lambda: coupons.by_code("A"))
    steps = [row[-1] for row in database.connection().execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert steps == ["SEARCH t1 USING INDEX coupon_code_live (code=?)"]


@pytest.mark.parametrize("page", [0, 3, 4, 9])
def test_a_page_of_batches_is_read_in_its_order(code: str, page: int) -> None:
    with change():
        for _ in range(20):
            batches.add("Batch", Terms.of())
    *_, sql, _ = asked_by(lambda: batches.page(page, 2))
    steps = [row[-1] for row in database.connection().execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any(
        step.startswith("SEARCH") and "INDEX batch_realm_id (realm=?)" in step for step in steps
    )
    assert not [step for step in steps if "TEMP B-TREE" in step]
