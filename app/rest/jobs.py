"""Routes of jobs: batches too large for one call."""

from __future__ import annotations

from typing import Any

from flask import Response

from app.rest.authentication import current_caller
from app.rest.blueprint import RestBlueprint
from app.rest.codes import CODES_AS_CSV, NO_CAMPAIGN, codes_response
from app.rest.csv_responses import CSV_SCHEMA, CSV_TYPE
from app.rest.envelope import ROOT
from app.rest.requests import GenerateJobRequest
from app.rest.responses import JobResponse
from models.campaigns import campaign_making, campaigns, jobs
from models.campaigns.campaign_making import Plan
from models.campaigns.jobs import Job

NO_JOB = {404: "Job not found"}
NO_CODES = {409: "The job is not done; The codes of the job were handed out already"}
blueprint = RestBlueprint("jobs")


@blueprint.post("/campaigns/codes/jobs")
@blueprint.operation("jobs_add", NO_CAMPAIGN)
@blueprint.arguments(GenerateJobRequest)
@blueprint.idempotent()
@blueprint.response(202, JobResponse)
def add(slug: str, batch_size: int, **plan: Any) -> tuple[Job, dict[str, str]]:
    """Order a large batch of codes; a worker makes it."""
    job = jobs.add(campaigns.by_slug(current_caller.owner, slug), batch_size, Plan(**plan))
    return job, {"Location": f"{ROOT}/campaigns/codes/jobs/{job.uuid}"}


@blueprint.get("/campaigns/codes/jobs/<jobId>")
@blueprint.operation("jobs_show", NO_JOB)
@blueprint.response(200, JobResponse)
def show(jobId: str) -> Job:
    """Say how far a job is."""
    return jobs.by_uuid(current_caller.owner, jobId.lower())


@blueprint.get("/campaigns/codes/jobs/<jobId>/codes")
@blueprint.operation("jobs_codes", NO_JOB | NO_CODES)
@blueprint.response(200, CSV_SCHEMA, content_type=CSV_TYPE, description=CODES_AS_CSV)
def hand_out_codes(jobId: str) -> Response:
    """Hand out the codes of a finished job as CSV, this once."""
    job = jobs.by_uuid(current_caller.owner, jobId.lower())
    jobs.hand_out(job)
    codes = campaign_making.codes_of(job.batch)
    return codes_response(job.batch, codes, lambda complete: jobs.handed_out(job, complete))
