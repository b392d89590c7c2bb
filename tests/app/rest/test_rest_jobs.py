"""Jobs over REST: ordered, watched, and their codes handed out once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.logs import masked
from models.campaigns import jobs
from models.campaigns.campaign_making import codes_of
from models.campaigns.jobs import Job
from models.promotions.campaign_counts import Campaign, CampaignBatch
from tests.app.rest.conftest import SLUG, Caller
from tests.serving import environment

ORDER = {"slug": SLUG, "batchSize": 25, "pointsValue": 5, "label": "posters"}
JOBS = "/campaigns/codes/jobs"


@pytest.fixture
def job(live: Caller) -> Any:
    """Order a job."""
    answer = live.post(JOBS, ORDER)
    assert answer.status_code == 202
    data = answer.get_json()["data"]
    assert answer.headers["Location"] == f"/v1{JOBS}/{data['id']}"
    return data


def finish() -> None:
    """Do the work that there is."""
    while (waiting := jobs.next_unfinished()) is not None:
        jobs.work(waiting)


def test_a_job_tells_how_far_it_is(live: Caller, job: Any) -> None:
    assert (job["status"], job["requested"], job["created"], job["error"]) == (
        "QUEUED",
        25,
        0,
        None,
    )
    assert job["batch"]["batchSize"] == 25
    finish()
    now = live.read(f"{JOBS}/{job['id']}")
    assert (now["status"], now["created"]) == ("DONE", 25)
    assert live.read("/campaigns/codes/stats", slug=SLUG)["activeCodes"] == 25


def test_the_codes_come_once(live: Caller, job: Any) -> None:
    path = f"{JOBS}/{job['id']}/codes"
    assert live.get(path).get_json()["error"] == "job_not_done"
    finish()
    assert live.send("HEAD", path).status_code == 200
    answer = live.get(path)
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    head, *codes = answer.text.split()
    assert head == "code"
    assert codes == list(codes_of(Job.get().batch))
    assert live.get(path).get_json()["error"] == "codes_handed_out"


def test_a_download_that_breaks_off_can_be_tried_again(live: Caller, job: Any) -> None:
    finish()
    path = f"{JOBS}/{job['id']}/codes"
    answer = live.send("GET", path, buffered=False)
    assert live.get(path).status_code == 409
    next(answer.iter_encoded())
    answer.close()
    assert len(live.get(path).text.split()) == 26


def test_jobs_of_others_are_not_found(live: Caller, test: Caller, job: Any) -> None:
    for path in (f"{JOBS}/{job['id']}", f"{JOBS}/{job['id']}/codes", f"{JOBS}/x"):
        answer = test.get(path)
        assert (answer.status_code, answer.get_json()["message"]) == (404, "Job not found")


@pytest.mark.parametrize("size", [0, 5_000_001, "25"])
def test_a_size_that_cannot_be(live: Caller, size: Any) -> None:
    answer = live.post(JOBS, ORDER | {"batchSize": size})
    assert list(answer.get_json()["errors"]) == ["batchSize"]
    assert Job.select().count() == 0


def test_an_order_comes_again_with_its_key(live: Caller) -> None:
    key = {"Idempotency-Key": "order-1"}
    first = live.post(JOBS, ORDER, headers=key)
    again = live.post(JOBS, ORDER, headers=key)
    assert (again.data, again.status_code) == (first.data, 202)
    assert again.headers["Location"] == first.headers["Location"]
    assert CampaignBatch.select().count() == 1


def test_a_batch_that_is_being_made_is_not_revoked(live: Caller, job: Any) -> None:
    answer = live.post("/campaigns/codes/revoke", {"batchId": job["batch"]["id"]})
    assert answer.get_json()["error"] == "batch_unfinished"


def test_two_workers_make_one_job_exactly(live: Caller, tmp_path: Path) -> None:
    live.post(JOBS, ORDER | {"batchSize": 110_000})
    command = [sys.executable, "-m", "app.cli", "worker", "--once"]
    options: dict[str, Any] = {"env": environment(tmp_path), "stderr": subprocess.DEVNULL}
    workers = [subprocess.Popen(command, **options) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    done = Job.get()
    codes = list(codes_of(done.batch))
    assert len(set(codes)) == len(codes) == done.created == 110_000
    assert Campaign.get().codes == 110_000


def test_no_secret_reaches_a_log() -> None:
    secret = "sk_live_" + "0123456789abcdef" * 2
    assert secret[8:] not in masked(f"X-API-Secret: {secret}")
