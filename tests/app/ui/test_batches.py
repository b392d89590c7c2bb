"""Batches: listed, generated, changed, downloaded, made by a worker."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.cli import worker
from app.exchange import csv_export
from app.ui import charts
from models.promotions import batch_jobs, batch_life, batches, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.use_rules import Use
from models.store import clock
from tests.app.ui.people import Person

NEW = {
    **{"name": "Spring sale", "size": "20", "prefix": "SPRING-", "length": "8", "readable": "1"},
    **{"coupon_type": "cart", "clients": "all", "type": "percent", "value": "15"},
    **{"applyto": "price", "cycle": "once", "max_usage": "1", "products": "5, 6"},
}
PATH = "/ui/batches/new"


def made(size: int = 3, **terms: Any) -> Batch:
    return batch_life.make("Spring sale", Terms.of(value=10, **terms), size)


def revision_in(page: str) -> str:
    """Return the revision that a form of a page is of."""
    return page.split('name="revision" value="')[1].split('"')[0]


def confirm(person: Person, path: str) -> TestResponse:
    """Send the form of a page that says what a change would do."""
    return person.post(path, {"revision": revision_in(person.text(path))})


def test_a_batch_is_previewed_and_made(operator: Person) -> None:
    page = operator.post(PATH, NEW)
    assert "15 % off the price of the first payment of products 5, 6" in page.text
    assert page.text.count("<code>SPRING-") == 10
    assert not Batch.select().exists()
    assert not Coupon.select().exists()
    again = operator.post(PATH, NEW | {"back": "1"})
    assert again.status_code == 200
    assert "Show ten of them first" in again.text
    assert 'value="SPRING-"' in again.text
    response = operator.post(PATH, NEW | {"confirmed": "1"})
    batch = Batch.get()
    assert response.location == f"/ui/batches/{batch.id}"
    assert (batch.name, batch.made, batch.terms.max_usage) == ("Spring sale", 20, 1)
    assert Coupon.select().where(Coupon.code.startswith("SPRING-")).count() == 20
    assert "0 of 20 codes used" in operator.text(response.location)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "required"),
        ({"size": "0"}, "This must be"),
        ({"size": "5000001"}, "This must be"),
        ({"value": "101"}, "This must be 100 at most when type is percent."),
        ({"expires": "2020-01-01"}, "This must not be in the past."),
        ({"prefix": "X" * 30}, "This makes codes of 38 characters, 32 is the most."),
        ({"products": "five"}, "This must be"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    operator: Person, changes: dict[str, str], sentence: str
) -> None:
    response = operator.post(PATH, NEW | changes | {"confirmed": "1"})
    assert response.status_code == 400
    assert sentence in response.text
    assert f'value="{NEW["prefix"] if "prefix" not in changes else changes["prefix"]}"' in (
        response.text
    )
    assert not Batch.select().exists()


def test_a_large_batch_is_made_by_a_worker(operator: Person) -> None:
    size = 10_001
    response = operator.post(PATH, NEW | {"size": str(size), "confirmed": "1"})
    batch = Batch.get()
    assert (batch.made, batch.requested) == (0, size)
    progress = operator.text(f"/ui/batches/{batch.id}/progress")
    assert f"0 of {size:,} codes are made" in progress
    assert "hx-trigger" in progress
    while worker.work_on_next(lambda: False):
        pass
    assert batches.by_id(batch.id).made == size
    assert batch_jobs.of_batch(batch.id) is None
    assert f"0 of {size:,} codes used" in operator.text(response.location)
    assert "hx-trigger" not in operator.text(f"/ui/batches/{batch.id}/progress")


def test_a_worker_stops_where_no_more_is_wanted(operator: Person) -> None:
    operator.post(PATH, NEW | {"size": "20000", "confirmed": "1"})
    batch = Batch.get()
    job = batch_jobs.of_batch(batch.id)
    assert job is not None

    def cancelled(count: int) -> None:
        path = f"/ui/batches/{batch.id}/cancel"
        assert operator.post(path).status_code == 303

    batch_jobs.work(job, cancelled, chunk=500)
    assert (batches.by_id(batch.id).made, batches.by_id(batch.id).requested) == (500, 500)
    assert batch_jobs.next_unfinished() is None


def test_a_refused_job_says_why(operator: Person) -> None:
    batch = batch_jobs.add("Gone", Terms.of(), 20_000)
    batch_life.edit(batch.id, clock.today(charts_zone()), live=False)
    assert worker.work_on_next(lambda: False)
    assert not worker.work_on_next(lambda: False)
    assert "It ended: The batch is archived" in operator.text(f"/ui/batches/{batch.id}")


def charts_zone() -> Any:
    from datetime import UTC

    return UTC


def test_the_list_tells_states_apart(operator: Person) -> None:
    today = clock.today(charts_zone())
    active = made()
    ended = made(expires=today - timedelta(1))
    archived = made()
    batch_life.edit(archived.id, today, live=False)
    up = made(1, max_usage=1)
    use = Use(today=today, places=2, amount=Decimal(10))
    redemptions.redeem(Coupon.get(Coupon.batch_id == up.id), use)
    page = operator.text("/ui/batches")
    for state in ("Active", "Ended", "Archived", "Used up"):
        assert page.count(f"</span> {state}</span>") == 1, state
    assert "1 of 1" in page
    assert "<polyline" in page
    making = batch_jobs.add("Spring later", Terms.of(), 20_000)
    states = {"active": active, "used-up": up, "ended": ended, "archived": archived}
    for state, batch in (states | {"being-made": making}).items():
        listed = operator.text(f"/ui/batches?state={state}")
        assert f"/ui/batches/{batch.id}" in listed
        assert listed.count("<tr>") == 2
    assert "No batch is like that" in operator.text("/ui/batches?text=winter")
    for query in ("text=SPRING", "state=nonsense"):
        assert operator.text(f"/ui/batches?{query}").count("<tr>") == 6


def test_pages_of_batches_go_both_ways(operator: Person) -> None:
    for _ in range(120):
        batches.add("Spring", Terms.of())
    first = operator.text("/ui/batches")
    assert 'rel="prev"' not in first
    older = operator.text(f"/ui/batches?before={Batch.select().order_by(-Batch.id)[49].id}")
    assert 'rel="prev"' in older
    assert 'rel="next"' in older
    last = operator.text(f"/ui/batches?before={Batch.select().order_by(Batch.id)[20].id}")
    assert 'rel="next"' not in last
    newer = operator.text(f"/ui/batches?after={Batch.select().order_by(-Batch.id)[50].id}")
    assert newer.count("<tr>") == 51
    assert 'rel="next"' in newer
    assert operator.text("/ui/batches?before=nonsense").count("<tr>") == 51


def test_a_batch_is_changed_in_three_steps(operator: Person) -> None:
    batch = made()
    path = f"/ui/batches/{batch.id}"
    assert "3 codes, of which 0 were used, cannot be used" in operator.text(f"{path}/archive")
    assert batches.by_id(batch.id).live
    confirm(operator, f"{path}/archive")
    assert not batches.by_id(batch.id).live
    confirm(operator, f"{path}/restore")
    assert batches.by_id(batch.id).live
    operator.post(f"{path}/grow", {"size": "4"}, at=path)
    assert batches.by_id(batch.id).made == 7
    for size in ("0", "10001", "x", "", "00000000110000"):
        refused = operator.post(f"{path}/grow", {"size": size}, at=path)
        assert refused.status_code == 400
        assert 'class="error">Say how many: 1 to 10,000.' in refused.text
    assert confirm(operator, f"{path}/delete").location == "/ui/batches"
    assert operator.text(path, 404)


def test_an_edit_meets_another(operator: Person) -> None:
    batch = made(max_usage=2)
    path = f"/ui/batches/{batch.id}/edit"
    revision = revision_in(operator.text(path))
    held = {"name": "Spring sale", "value": "10", "type": "percent", "max_usage": "2"}
    held |= {"applyto": "price", "cycle": "once", "clients": "all", "revision": revision}
    assert operator.post(path, held | {"name": "Autumn"}).status_code == 303
    assert batches.by_id(batch.id).name == "Autumn"
    assert batches.by_id(batch.id).terms.id == batch.terms.id
    # Within the second of the other edit, and with terms that nobody changed.
    response = operator.post(path, held | {"name": "Winter"})
    assert response.status_code == 409
    assert "<mark>Winter</mark>" in response.text
    assert "<td>Autumn</td>" in response.text
    assert batches.by_id(batch.id).name == "Autumn"


@pytest.mark.parametrize("change", ["archive", "delete"])
def test_a_change_is_of_the_batch_that_was_shown(operator: Person, change: str) -> None:
    batch = made()
    path = f"/ui/batches/{batch.id}"
    shown = {"revision": revision_in(operator.text(f"{path}/{change}"))}
    batch_life.grow(batch.id, 4, clock.today(charts_zone()))
    assert operator.post(f"{path}/{change}", shown).status_code == 409
    assert batches.by_id(batch.id).live
    assert Coupon.select().where(Coupon.live.is_null(False)).count() == 7
    assert confirm(operator, f"{path}/{change}").status_code == 303


def test_csv_of_codes_and_of_all(operator: Person) -> None:
    batch = made(3)
    path = f"/ui/batches/{batch.id}"
    codes = list(csv.reader(io.StringIO(operator.get(f"{path}/codes.csv").text)))
    stored = [coupon.code for coupon in Coupon.select().order_by(Coupon.id)]
    assert codes == [["code"], *([code] for code in stored)]
    response = operator.get(f"{path}/all.csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["code"] for row in rows] == stored
    assert {row["value"] for row in rows} == {"10.00"}
    assert response.headers["Content-Disposition"] == f'attachment; filename="batch-{batch.id}.csv"'


def test_a_download_holds_no_whole_batch(operator: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def peak(batch: Batch) -> int:
        tracemalloc.start()
        with operator.get(f"/ui/batches/{batch.id}/all.csv") as response:
            for _ in response.iter_encoded():
                pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    monkeypatch.setattr(csv_export, "SLICE", 300)
    small, large = made(900), made(3_600)
    peak(small)
    assert peak(large) < 1.5 * peak(small)


def test_names_with_markup_are_shown_as_they_are(operator: Person) -> None:
    name = "<script>alert(1)</script>"
    batch = batches.add(name, Terms.of(notes=name), notes=name, prefix="<b>")
    for path in ("", f"/{batch.id}", f"/{batch.id}/edit", f"/{batch.id}/archive"):
        assert b"<script>alert" not in operator.get(f"/ui/batches{path}").data


def test_charts() -> None:
    assert charts.sparkline([0, 0], "none") == ""
    assert "1.0,19.0 95.0,1.0" in charts.sparkline([0, 4], "4 uses")
    today = clock.today(charts_zone())
    days = charts.filled({today: 3}, today - timedelta(2), today)
    assert list(days.values()) == [0, 0, 3]
    drawn = charts.line_chart(days, "a <label>")
    assert "&lt;label&gt;" in drawn
    assert charts.line_chart({today: 0}, "one day")
    assert "style" not in drawn


def test_a_campaign_s_batch_is_changed_elsewhere(app: Flask, operator: Person) -> None:
    from models.campaigns import campaign_making, campaigns
    from models.promotions.campaign_counts import Owner

    campaign = campaigns.add(Owner(), "promo", "Promo")
    batch, _ = campaign_making.generate(campaign, 1, campaign_making.Plan(5))
    for path in ("edit", "archive", "codes.csv"):
        assert operator.text(f"/ui/batches/{batch.batch_id}/{path}", 409)
    assert coupons.Coupon.select().count() == 1
