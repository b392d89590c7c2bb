"""Long lists by pages: each looks at a bounded number of rows, together they show all."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from app.ui import keyset, timeline
from app.ui.pages import redemptions as page
from models.access import refused_tries, usage
from models.access.refused_tries import Try
from models.access.usage import Entry
from models.campaigns import campaigns
from models.promotions import batch_life
from models.promotions.campaign_counts import CampaignBatch, Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.redemption import RELEASED, USED, Redemption
from models.store import clock
from tests.app.ui.people import Person

LOOKED = 7
ROWS = 3
NOON = 1_700_000_000


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at few rows, of which fewer fill a page."""
    monkeypatch.setattr(timeline, "LOOKED", LOOKED)
    monkeypatch.setattr(timeline.page_of, "__defaults__", ((), ROWS))
    monkeypatch.setattr(keyset.page_of_all, "__defaults__", (None, ROWS))


def pages(viewer: Person, path: str) -> Iterator[str]:
    """Yield a page and all that follow it."""
    for _ in range(60):
        text = viewer.text(path)
        assert text.count("<tr>") <= ROWS + 1
        yield text
        further = re.search(r'rel="next" href="([^"]+)"', text)
        if further is None:
            return
        path = further[1]
    raise AssertionError("the pages have no end")


def shown(viewer: Person, path: str, pattern: str) -> list[str]:
    """Return what matches on a page and on all that follow it."""
    return [found for text in pages(viewer, path) for found in re.findall(pattern, text)]


def test_looks_together_show_each_row_once(app: Flask, viewer: Person) -> None:
    usage.write(
        [
            Entry(NOON + n // 4, f"get{n}", "code_expired" if n % 11 == 3 else "", "shop", True, "")
            for n in range(40)
        ]
    )
    names = r">(get\d+)<"
    assert shown(viewer, "/ui/calls", names) == [f"get{n}" for n in range(39, -1, -1)]
    wanted = ["get36", "get25", "get14", "get3"]
    assert shown(viewer, "/ui/calls?result=refused&api_id=shop", names) == wanted
    first = viewer.text("/ui/calls?result=refused&api_id=shop")
    assert "Looked back to" in first
    assert "Look further" in first
    assert "Looked back to" not in viewer.text("/ui/calls?api_id=shop")
    assert len([*pages(viewer, "/ui/calls?call=get3&result=ok")]) == 1


def test_refused_tries_of_a_client_and_a_reason(app: Flask, viewer: Person) -> None:
    tries = [
        Try(NOON + n, "redeemPromoCode", f"C{n:07}E", "code_not_found", client_id=n % 5 + 1)
        for n in range(30)
    ]
    refused_tries.write(tries, 1000)
    found = shown(viewer, "/ui/refused?client_id=3&reason=code_not_found&face=0", r"client (\d+)<")
    assert found == ["3"] * 6
    assert shown(viewer, "/ui/refused?client_id=3&face=1", r"client (\d+)<") == []


@pytest.fixture
def uses(app: Flask) -> int:
    """Keep uses of three batches by turns, two of them of one campaign; return its id."""
    batches = [batch_life.make(f"Batch {n}", Terms.of(), 1) for n in range(3)]
    campaign = campaigns.add(Owner(), "promo", "Promo")
    for number, batch in enumerate(batches[:2], 1):
        CampaignBatch.create(
            batch_id=batch.id, uuid=f"u{number}", campaign=campaign, number=number, points=1,
            label="", size=1, total=1, created_at=0,
        )  # fmt: skip
    coupons = {each.batch_id: each for each in Coupon.select()}
    for n in range(30):
        coupon = coupons[batches[n % 3].id]
        is_released = n % 13 == 2
        Redemption.create(
            coupon_id=coupon.id, batch_id=coupon.batch_id, code=coupon.code, client_id=100 + n,
            state=RELEASED if is_released else USED, redeemed_at=NOON + n,
            released_at=clock.now() - n if is_released else None,
        )  # fmt: skip
    return int(campaign.id)


def clients(numbers: list[int]) -> list[str]:
    return [str(100 + n) for n in numbers]


@pytest.mark.parametrize("most", [1, 100])
def test_uses_of_a_campaign(
    viewer: Person, uses: int, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Of few batches each is asked for its uses, of more the uses of all are looked at."""
    monkeypatch.setattr(page, "BATCHES", most)
    mine = [n for n in range(29, -1, -1) if n % 3 < 2]
    path = f"/ui/redemptions?campaign_id={uses}"
    assert shown(viewer, path, r"client (\d+)<") == clients(mine)
    standing = [n for n in mine if n % 13 != 2]
    assert shown(viewer, f"{path}&state=used", r"client (\d+)<") == clients(standing)
    in_november = f"{path}&since=2023-11-01&until=2023-11-30"
    assert shown(viewer, in_november, r"client (\d+)<") == clients(mine)


def test_a_page_of_a_campaign_leads_back(viewer: Person, uses: int) -> None:
    first, second, *_ = pages(viewer, f"/ui/redemptions?campaign_id={uses}")
    back = re.search(r'rel="prev" href="([^"]+)"', second)
    assert back is not None
    pattern = r"client (\d+)<"
    assert re.findall(pattern, viewer.text(back[1])) == re.findall(pattern, first)


def test_released_uses_come_by_their_release(viewer: Person, uses: int) -> None:
    assert shown(viewer, "/ui/redemptions?state=released", r"client (\d+)<") == clients([2, 15, 28])
    path = f"/ui/redemptions?state=released&campaign_id={uses}"
    assert shown(viewer, path, r"client (\d+)<") == clients([15, 28])
