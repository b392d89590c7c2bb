"""Links lead to every page, so that the tests that follow links see them all."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app.cli import demo, demo_data
from app.config import Settings
from app.ui.application import create_pages
from app.ui.roles import need_of
from models.campaigns import bulk_stops
from models.promotions.coupons import Coupon
from models.store import visibility
from models.webhooks import webhooks
from tests.app.ui.crawl import ROOT, crawled
from tests.app.ui.people import Person

TERMS = {"coupon_type": "cart", "type": "percent", "value": "15"}
ELSEWHERE = {
    "log_in.again",  # where what is sensitive is done
    "batches.progress",  # a part of a page that is asked for anew
    "batches.download",
    "redemptions.download",
    "api.download",
}
"""What no link leads to, or what is no page."""


def test_links_lead_to_every_page_and_none_to_nothing(
    store: Settings, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pair = demo.prepare(store).pair
    demo_data.fill(store, pair)
    for call, arguments in (
        ("deletePromoCode", {"code": demo_data.CODE}),
        ("addPromoBatch", TERMS | {"name": "Newest", "size": 3}),
    ):
        app.test_client().post("/api.php", data=asdict(pair) | {"call": call} | arguments)
    webhooks.add("https://shop.example/hooks", ["batch.ready"], "sealed", visibility.LIVE)
    bulk_stops.stop([coupon.id for coupon in Coupon.select()])
    pages = create_pages(app.config, lambda made: None)
    address = pages.url_map.bind("localhost")
    crawl = crawled(Person(app, "admin"))
    paths = [urlsplit(each).path.removeprefix(ROOT.rstrip("/")) for each in crawl]
    wanted = {
        rule.endpoint
        for rule in pages.url_map.iter_rules()
        if "GET" in (rule.methods or ())
        and (need := need_of(pages.view_functions[rule.endpoint])) is not None
        and need.role is not None
    }
    assert wanted - {address.match(path)[0] for path in paths} == ELSEWHERE
