"""Jobs without an end: what one partner has open is limited, and can be cancelled."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from app.rest import codes
from models.access import secrets
from models.campaigns import campaigns, jobs
from models.campaigns.campaign_making import Plan
from models.campaigns.jobs import Job, Quota
from models.checks import recount
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.promotions.coupons import Coupon
from models.store.base import database
from models.store.errors import OverQuota
from models.store.idempotency import KeptReply
from tests.app.rest.conftest import SLUG, Caller
from tests.waiting import wait_until

JOBS = "/campaigns/codes/jobs"
ORDER = {"slug": SLUG, "batchSize": 400, "pointsValue": 5}
MOST = 3
ORDERS = 8


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Let a partner have three jobs open."""
    return replace(settings, open_jobs_of_partner=MOST)


def caller(client: FlaskClient, partner: str = "") -> Caller:
    """Return a caller of a partner, whose campaign there is."""
    owner = Owner(partner=partner)
    if campaigns.by_slug_or_none(owner, SLUG) is None:
        campaigns.add(owner, SLUG, "Summer")
    return Caller(client, secrets.add(owner)[1])


def rows() -> tuple[int, ...]:
    """Return the numbers of rows that an order makes."""
    return tuple(table.select().count() for table in (Job, Batch, CampaignBatch, KeptReply))


def finish() -> None:
    while (waiting := jobs.next_unfinished()) is not None:
        jobs.work(waiting)


def live() -> int:
    return Coupon.select().where(Coupon.live.is_null(False)).count()


def test_orders_over_the_quota_leave_no_row(client: FlaskClient) -> None:
    partner = caller(client)
    answers = [partner.post(JOBS, ORDER) for _ in range(MOST)]
    assert {answer.status_code for answer in answers} == {202}
    full = rows()
    for number in range(ORDERS):
        refused = partner.post(JOBS, ORDER, headers={"Idempotency-Key": f"{number}"})
        assert (refused.status_code, refused.get_json()["error"]) == (429, "job_quota")
        assert int(refused.headers["Retry-After"]) > 0
    assert rows() == full
    assert Campaign.get().batches == MOST
    finish()
    again = partner.post(JOBS, ORDER, headers={"Idempotency-Key": "0"})
    assert again.status_code == 202  # the refusal was not kept


def test_codes_over_the_quota_are_not_ordered(client: FlaskClient) -> None:
    partner = caller(client)
    largest = ORDER | {"batchSize": jobs.CODES_MOST}
    statuses = [partner.post(JOBS, largest).status_code for _ in range(ORDERS)]
    assert statuses == [202, 202] + [429] * (ORDERS - 2)
    assert partner.post(JOBS, ORDER | {"batchSize": 1}).status_code == 429
    assert sum(job.requested for job in Job.select()) == 2 * jobs.CODES_MOST


def test_a_second_secret_brings_no_second_quota_and_takes_none_of_others(
    client: FlaskClient,
) -> None:
    mine = [caller(client, "one"), caller(client, "one")]
    statuses = [mine[turn % 2].post(JOBS, ORDER).status_code for turn in range(2 * MOST)]
    assert statuses == [202] * MOST + [429] * MOST
    assert caller(client, "two").post(JOBS, ORDER).status_code == 202


def test_orders_at_one_moment_do_not_all_see_the_last_place(app: Flask) -> None:
    headers = {"X-API-Secret": str(caller(app.test_client()).secret)}
    start = threading.Barrier(ORDERS)

    def order(number: int) -> int:
        client = app.test_client()
        start.wait(30)
        key = {"Idempotency-Key": f"{number}"} if number % 2 else {}
        return client.post(f"/v1{JOBS}", json=ORDER, headers=headers | key).status_code

    with ThreadPoolExecutor(ORDERS) as pool:
        statuses = sorted(pool.map(order, range(ORDERS)))
    assert statuses == [202] * MOST + [429] * (ORDERS - MOST)
    assert Job.select().count() == MOST


@pytest.mark.usefixtures("store")
def test_what_was_made_counts_no_more() -> None:
    campaign = campaigns.add(Owner(), SLUG, "Summer")
    job = jobs.add(campaign, 300, Plan(5), Quota(codes=300))
    with pytest.raises(OverQuota):
        jobs.add(campaign, 1, Plan(5), Quota(codes=300))

    def stop(made: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        jobs.work(job, stop, chunk=100)
    assert jobs.add(campaign, 100, Plan(5), Quota(codes=300)).requested == 100


class TestCancel:
    def test_a_job_that_waits_is_over_at_once(self, client: FlaskClient) -> None:
        partner = caller(client)
        job = partner.data(JOBS, ORDER)
        path = f"{JOBS}/{job['id']}"
        first, second = (partner.send("DELETE", path) for _ in range(2))
        assert (first.status_code, second.data) == (200, first.data)
        data = first.get_json()["data"]
        assert (data["status"], data["created"], data["requested"]) == ("CANCELLED", 0, 400)
        assert data["batch"]["batchSize"] == 0
        finish()
        assert partner.read(path) == data
        refused = partner.get(f"{path}/codes")
        assert (refused.status_code, refused.get_json()["error"]) == (409, "job_not_done")
        assert [partner.post(JOBS, ORDER).status_code for _ in range(MOST)] == [202] * MOST
        assert list(recount.differences()) == []

    def test_what_was_made_is_revoked_and_stays_so(self, client: FlaskClient) -> None:
        partner = caller(client)
        job = partner.data(JOBS, ORDER)

        def stop(made: int) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            jobs.work(Job.get(), stop, chunk=150)
        assert live() == 150
        data = partner.send("DELETE", f"{JOBS}/{job['id']}").get_json()["data"]
        assert (data["status"], data["created"], data["batch"]["batchSize"]) == (
            *("CANCELLED", 150),
            150,
        )
        finish()
        back = partner.data("/campaigns/codes/reactivate", {"batchId": job["batch"]["id"]})
        assert (back["count"], live()) == (0, 0)
        stats = partner.read("/campaigns/codes/stats", slug=SLUG)
        assert (stats["totalCodes"], stats["revokedCodes"], stats["activeCodes"]) == (150, 150, 0)
        assert list(recount.differences()) == []

    @pytest.mark.parametrize("chunks", [1, 2, 4])
    def test_a_worker_at_its_work_leaves_nothing_live(self, store: Settings, chunks: int) -> None:
        job = jobs.add(campaigns.add(Owner(), SLUG, "Summer"), 50_000, Plan(5))
        made = threading.Event()
        told: list[int] = []

        def on_progress(count: int) -> None:
            told.append(count)
            if len(told) == chunks:
                made.set()
                wait_until(lambda: Job.get().status != jobs.RUNNING)  # and on with the next chunk

        def work() -> None:
            with database.connection_context():
                jobs.work(Job.get_by_id(job.id), on_progress, chunk=500)

        worker = threading.Thread(target=work)
        worker.start()
        assert made.wait(60)
        cancelled = jobs.cancel(job)
        worker.join(60)
        assert not worker.is_alive()
        assert (cancelled.status, jobs.next_unfinished()) == (jobs.CANCELLED, None)
        assert chunks * 500 <= job.created < job.requested
        batch = CampaignBatch.get()
        assert batch.size == batch.total == batch.revoked == job.created
        assert (Coupon.select().count(), live()) == (job.created, 0)
        assert list(recount.differences()) == []

    def test_many_codes_are_left_to_a_worker(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        partner = caller(client)
        job = partner.data(JOBS, ORDER)

        def stop(made: int) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            jobs.work(Job.get(), stop, chunk=150)
        monkeypatch.setattr(codes, "REVOKED_MOST", 100)
        for _ in range(2):
            answer = partner.send("DELETE", f"{JOBS}/{job['id']}")
            assert answer.get_json()["data"]["status"] == "CANCELLING"
        assert live() == 150
        assert [partner.post(JOBS, ORDER).status_code for _ in range(MOST)] == [202] * MOST
        first = jobs.next_unfinished()
        assert first is not None
        assert first.uuid == job["id"]  # before those that wait
        jobs.work(first)
        done = Job.get_by_id(1)
        assert (live(), done.status, done.uuid) == (0, jobs.CANCELLED, job["id"])
        assert list(recount.differences()) == []

    def test_a_job_that_has_ended_or_is_of_another_is_refused(self, client: FlaskClient) -> None:
        partner, other = caller(client, "one"), caller(client, "two")
        path = f"{JOBS}/{partner.data(JOBS, ORDER)['id']}"
        for stranger, there in ((other, path), (partner, f"{JOBS}/x")):
            answer: Any = stranger.send("DELETE", there)
            assert (answer.status_code, answer.get_json()["error"]) == (404, "job_not_found")
        finish()
        answer = partner.send("DELETE", path)
        assert (answer.status_code, answer.get_json()["error"]) == (409, "job_ended")
        assert live() == 400
