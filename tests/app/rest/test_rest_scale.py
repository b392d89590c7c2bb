"""Four thousand batches: every page of them costs the same, and totals are never scans."""

from __future__ import annotations

import pytest

from models.promotions.campaign_counts import Campaign, CampaignBatch
from models.store.base import database
from tests.app.rest.conftest import SLUG, Caller
from tests.visits import settle, visits

BATCHES = 4_000
EXPIRED_EACH = 100
CHUNK = 1000
PAGE = 20
CODES = "/campaigns/codes"


@pytest.fixture
def many(campaign: Campaign) -> Campaign:
    """Give the campaign its batches, of one code each, every hundredth of them expired."""
    rows = [
        {
            "batch_id": number,
            "uuid": f"{number:036d}",
            "campaign_id": campaign.id,
            "number": number,
            "points": 5,
            "expires_at": None if number % EXPIRED_EACH else 1,
            "size": 1,
            "total": 1,
            "created_at": 1,
        }
        for number in range(1, BATCHES + 1)
    ]
    with database.atomic():
        for at in range(0, BATCHES, CHUNK):
            CampaignBatch.insert_many(rows[at : at + CHUNK]).execute()
        Campaign.update(batches=BATCHES, codes=BATCHES).execute()
    settle()
    return campaign


def test_every_page_costs_the_same(live: Caller, many: Campaign) -> None:
    last = BATCHES // PAGE
    seen = []
    for page, first in ((1, BATCHES), (last // 2, BATCHES // 2 + PAGE), (last, PAGE)):
        answer = live.read(f"{CODES}/batches", slug=SLUG, page=page)
        assert answer["total"] == BATCHES
        assert answer["batches"][0]["id"] == f"{first:036d}"
        assert len(answer["batches"]) == PAGE
        seen.append(visits(lambda page=page: live.read(f"{CODES}/batches", slug=SLUG, page=page)))
    assert max(seen) < min(seen) + PAGE, seen


def test_the_stats_read_the_expired_batches_alone(live: Caller, many: Campaign) -> None:
    def read() -> None:
        stats = live.read(f"{CODES}/stats", slug=SLUG)
        assert (stats["totalCodes"], stats["expiredCodes"]) == (BATCHES, BATCHES // EXPIRED_EACH)

    read()
    seen = visits(read)
    assert seen < BATCHES // 4, seen
