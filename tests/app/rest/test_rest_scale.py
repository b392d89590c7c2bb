"""Two hundred thousand batches: every page of them costs the same, and totals are never scans."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from models import campaigns
from models.base import database
from models.campaigns import Campaign
from tests import stores
from tests.app.rest.conftest import SLUG, Caller

pytestmark = stores.about_sqlite

BATCHES = 200_000
TRIES = 7
CODES = "/campaigns/codes"


@pytest.fixture
def many(campaign: Campaign) -> Campaign:
    """Give the campaign its batches, of one code each, every hundredth of them expired."""
    with database.atomic():
        database.execute_sql(
            "INSERT INTO campaign_batch (batch_id, uuid, campaign_id, number, points, expires_at,"
            " size, total, redeemed, revoked, created_at)"
            " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " SELECT i, printf('%036d', i), ?, i, 5, CASE WHEN i % 100 = 0 THEN 1 END,"
            " 1, 1, 0, 0, 1"
            " FROM n",
            (BATCHES, campaign.id),
        )
        campaigns.count(campaign.id, batches=BATCHES, codes=BATCHES)
    return campaign


def seconds(ask: Callable[[], object]) -> float:
    """Return the best of several tries."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    return min(took)


def test_every_page_costs_the_same(live: Caller, many: Campaign) -> None:
    last = BATCHES // 20
    for page, first in ((1, BATCHES), (last // 2, BATCHES // 2 + 20), (last, 20)):
        answer = live.read(f"{CODES}/batches", slug=SLUG, page=page)
        assert answer["total"] == BATCHES
        assert answer["batches"][0]["id"] == f"{first:036d}"
        assert len(answer["batches"]) == 20
    times = [
        seconds(lambda page=page: live.read(f"{CODES}/batches", slug=SLUG, page=page))
        for page in (1, last // 2, last)
    ]
    assert max(times) < 3 * min(times)


def test_the_stats_read_the_expired_batches_alone(live: Caller, many: Campaign) -> None:
    stats = live.read(f"{CODES}/stats", slug=SLUG)
    assert (stats["totalCodes"], stats["expiredCodes"]) == (BATCHES, BATCHES // 100)
    plan = database.execute_sql(
        "EXPLAIN QUERY PLAN SELECT SUM(total) FROM campaign_batch "
        "WHERE campaign_id = 1 AND expires_at <= 5"
    ).fetchall()
    assert "campaign_id=? AND expires_at<?" in plan[0][-1]
    assert seconds(lambda: live.read(f"{CODES}/stats", slug=SLUG)) < 0.1
