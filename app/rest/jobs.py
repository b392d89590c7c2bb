"""Routes of jobs: batches too large for one call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, request

from app.rest import ROOT, answers, asked
from app.rest.codes import NO_CAMPAIGN, batch_shown
from app.rest.endpoint import CSV_TYPE, Answer, Caller, Csv, Route
from models.campaigns import campaign_making, campaigns, jobs
from models.campaigns.campaign_making import Plan
from models.campaigns.jobs import Job
from models.promotions.campaign_counts import Campaign

NO_JOB = {404: ["Job not found"]}


def shown(job: Job) -> dict[str, Any]:
    """Return a job as its schema names it."""
    campaign = Campaign.get_by_id(job.campaign_id)
    return {
        "id": job.uuid,
        "status": job.status.upper(),
        "requested": job.requested,
        "created": job.created,
        "error": job.error,
        "batch": batch_shown(job.batch, campaign),
        "createdAt": job.created_at,
        "updatedAt": job.updated_at,
    }


def add(
    caller: Caller,
    slug: str,
    batch_size: int,
    points_value: int,
    label: str | None,
    expires_at: int | None,
) -> Answer:
    """Order a large batch of codes; a worker makes it."""
    campaign = campaigns.by_slug(caller.owner, slug)
    job = jobs.add(campaign, batch_size, Plan(points_value, label, expires_at))
    return Answer(
        shown(job), status=202, headers={"Location": f"{ROOT}/campaigns/codes/jobs/{job.uuid}"}
    )


def show(caller: Caller, job_id: str) -> Answer:
    """Say how far a job is."""
    return Answer(shown(_job(caller, job_id)))


def codes(caller: Caller, job_id: str) -> Csv | Response:
    """Hand out the codes of a finished job as CSV, this once."""
    job = _job(caller, job_id)
    if request.method == "HEAD":  # a look takes nothing away
        return Response(content_type=f"{CSV_TYPE}; charset=utf-8")
    jobs.hand_out(job)
    return Csv(f"codes-{job.batch.uuid}", _rows(job), lambda whole: jobs.handed_out(job, whole))


def _job(caller: Caller, job_id: str) -> Job:
    return jobs.by_uuid(caller.owner, job_id.lower())


def _rows(job: Job) -> Iterator[list[str]]:
    yield ["code"]
    for code in campaign_making.codes_of(job.batch):
        yield [code]


ROUTES = [
    Route(
        "POST",
        "/campaigns/codes/jobs",
        add,
        answers.Job,
        body=asked.GenerateJob,
        status=202,
        refusals=NO_CAMPAIGN,
        changes=True,
    ),
    Route("GET", "/campaigns/codes/jobs/{jobId}", show, answers.Job, refusals=NO_JOB),
    Route(
        "GET",
        "/campaigns/codes/jobs/{jobId}/codes",
        codes,
        refusals=NO_JOB
        | {409: ["The job is not done", "The codes of the job were handed out already"]},
        csv="The column `code` and all codes.",
    ),
]
