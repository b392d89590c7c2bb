"""Routes of jobs: batches too large for one call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response

from app.rest.authentication import current_caller
from app.rest.blueprint import RestBlueprint
from app.rest.codes import CODES_AS_CSV, NO_CAMPAIGN, batch_data
from app.rest.csv_responses import CSV_SCHEMA, CSV_TYPE, csv_response
from app.rest.envelope import ROOT
from app.rest.requests import GenerateJobRequest
from app.rest.responses import JobResponse
from models.campaigns import campaign_making, campaigns, jobs
from models.campaigns.campaign_making import Plan
from models.campaigns.jobs import Job
from models.promotions.campaign_counts import Campaign

NO_JOB = {404: "Job not found"}
NO_CODES = {409: "The job is not done; The codes of the job were handed out already"}
blueprint = RestBlueprint("jobs")


@blueprint.post("/campaigns/codes/jobs")
@blueprint.operation("jobs_add", NO_CAMPAIGN)
@blueprint.arguments(GenerateJobRequest)
@blueprint.idempotent()
@blueprint.response(202, JobResponse)
def add(
    slug: str, batch_size: int, points_value: int, label: str | None, expires_at: int | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Order a large batch of codes; a worker makes it."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    job = jobs.add(campaign, batch_size, Plan(points_value, label, expires_at))
    return _job_data(job), {"Location": f"{ROOT}/campaigns/codes/jobs/{job.uuid}"}


@blueprint.get("/campaigns/codes/jobs/<jobId>")
@blueprint.operation("jobs_show", NO_JOB)
@blueprint.response(200, JobResponse)
def show(jobId: str) -> dict[str, Any]:
    """Say how far a job is."""
    return _job_data(_job(jobId))


@blueprint.get("/campaigns/codes/jobs/<jobId>/codes")
@blueprint.operation("jobs_codes", NO_JOB | NO_CODES)
@blueprint.response(200, CSV_SCHEMA, content_type=CSV_TYPE, description=CODES_AS_CSV)
def hand_out_codes(jobId: str) -> Response:
    """Hand out the codes of a finished job as CSV, this once."""
    job = _job(jobId)
    jobs.hand_out(job)
    name = f"codes-{job.batch.uuid}"
    return csv_response(name, _rows(job), lambda complete: jobs.handed_out(job, complete))


def _job(job_id: str) -> Job:
    return jobs.by_uuid(current_caller.owner, job_id.lower())


def _job_data(job: Job) -> dict[str, Any]:
    campaign = Campaign.get_by_id(job.campaign_id)
    return {
        "id": job.uuid,
        "status": job.status.upper(),
        "requested": job.requested,
        "created": job.created,
        "error": job.error,
        "batch": batch_data(job.batch, campaign),
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }


def _rows(job: Job) -> Iterator[list[str]]:
    yield ["code"]
    for code in campaign_making.codes_of(job.batch):
        yield [code]
