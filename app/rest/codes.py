"""Routes that make campaign codes, at once or by a job, verify, list and export them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app

from app.config import Settings
from app.rest import csv_responses
from app.rest.authentication import current_caller, note_refused, noting
from app.rest.blueprint import RestBlueprint
from app.rest.csv_responses import CSV_SCHEMA, CSV_TYPE, OnEnd, csv_response
from app.rest.envelope import ROOT
from app.rest.requests import (
    BatchPageQuery,
    BatchQuery,
    CodePageQuery,
    DocumentedQuery,
    EmptyRequest,
    GenerateJobRequest,
    GenerateRequest,
    LookupRequest,
    VerifyRequest,
)
from app.rest.responses import (
    BatchPageResponse,
    CodePageResponse,
    CodeResponse,
    GenerateResponse,
    JobResponse,
    LookupResponse,
    StatsResponse,
    VerifyResponse,
)
from models.campaigns import campaign_codes, campaign_making, campaigns, code_list, jobs
from models.campaigns.campaign_making import Plan
from models.campaigns.code_list import ListedCode
from models.campaigns.jobs import Job, Quota
from models.promotions.campaign_counts import CampaignBatch
from models.store.errors import NotFound

NO_CAMPAIGN = {404: "Campaign not found"}
NO_BATCH = {404: "Campaign not found; Batch not found"}
NO_JOB = {404: "Job not found"}
NO_CODES = {409: "The job is not done; The codes of the job were handed out already"}
PAGE_LINKS = {"Link": {"schema": {"type": "string"}, "description": "RFC 8288: pages by `rel`."}}
JOB_ADDRESS = {"Location": {"schema": {"type": "string"}, "description": "Where the job is."}}
CODES_AS_CSV = "Done. CSV: The column `code` and all codes."
REVOKED_MOST = 50_000
"""Codes of a cancelled job that one request revokes, in about a second; more are a worker's."""
REDEEMABLE = "Code is valid and redeemable"
LISTED_CODE = CodeResponse()
COLUMNS = [str(field.data_key) for field in LISTED_CODE.fields.values()]
"""The columns of an export."""
blueprint = RestBlueprint("codes")


def codes_response(batch: CampaignBatch, codes: Iterable[str], *on_end: OnEnd) -> Response:
    """Return the codes of a batch as CSV."""
    rows = ([code] for code in chain(["code"], codes))
    return csv_response(f"codes-{batch.uuid}", rows, *on_end)


@blueprint.post("/campaigns/codes/generate")
@blueprint.operation("codes_generate", NO_CAMPAIGN)
@blueprint.arguments(GenerateRequest)
@blueprint.idempotent(varies_by_type=True)
@blueprint.response(200, GenerateResponse, description=CODES_AS_CSV)
@blueprint.alt_response(200, schema=CSV_SCHEMA, content_type=CSV_TYPE, description=CODES_AS_CSV)
def generate(slug: str, batch_size: int, **plan: Any) -> dict[str, Any] | Response:
    """Make a batch of codes and show them this once, as CSV for those who accept that."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    batch, codes = campaign_making.generate(campaign, batch_size, Plan(**plan))
    if csv_responses.is_preferred():
        return codes_response(batch, codes)
    game_url = f"{current_caller.game_url.rstrip('/')}/campaign/{campaign.slug}"
    return {"batch": batch, "codes": codes, "count": len(codes), "game_url": game_url}


@blueprint.post("/campaigns/codes/verify")
@blueprint.operation("codes_verify")
@blueprint.arguments(VerifyRequest)
@blueprint.response(200, VerifyResponse)
def verify(code: str) -> dict[str, Any]:
    """Say whether a code can be redeemed; nothing is changed."""
    try:
        with noting("verify", code), current_caller.lookup_guard():
            found = campaign_codes.known(current_caller.owner, code)
    except NotFound:
        return {}
    message = REDEEMABLE
    if found.status != campaign_codes.ACTIVE:
        message = f"Code status is {found.status}"
    elif not found.batch.campaign.active:
        message = "Campaign is not active"
    elif found.batch.campaign.ended:
        message = "Campaign has ended"
    if message != REDEEMABLE:
        ended = found.status == campaign_codes.ACTIVE
        reason = "campaign_not_running" if ended else f"code_{found.status.lower()}"
        note_refused("verify", code, reason)
    return {"valid": message == REDEEMABLE, "code": found, "message": message}


@blueprint.post("/campaigns/codes/lookup")
@blueprint.operation("codes_lookup", {404: "Code not found"})
@blueprint.arguments(LookupRequest)
@blueprint.response(200, LookupResponse)
def lookup(code: str) -> ListedCode:
    """Show a code, which is given in full: its batch, its campaign and who used it."""
    with current_caller.lookup_guard():
        return code_list.listed(campaign_codes.known(current_caller.owner, code))


@blueprint.get("/campaigns/codes/batches")
@blueprint.operation("codes_list_batches", NO_CAMPAIGN)
@blueprint.arguments(BatchPageQuery, location="query")
@blueprint.response(200, BatchPageResponse, headers=PAGE_LINKS)
def list_batches(
    slug: str, page: int, limit: int, until: int | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """List the batches of a campaign, newest first."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    total = min(until or campaign.batches, campaign.batches)
    rows = campaigns.newest_batches(campaign, total, page, limit)
    same = {"slug": slug, "limit": limit, "until": total}
    pages = -(-total // limit)
    links = {"first": 1, "prev": page - 1, "next": page + 1, "last": pages}
    link = ", ".join(
        f'<{ROOT}/campaigns/codes/batches?{urlencode(same | {"page": number})}>; rel="{name}"'
        for name, number in links.items()
        if 1 <= number <= pages
    )
    data = {"batches": rows, "total": total, "page": page, "limit": limit}
    return data, {"Link": link} if link else {}


@blueprint.get("/campaigns/codes/stats")
@blueprint.operation("codes_stats", NO_CAMPAIGN)
@blueprint.arguments(DocumentedQuery, location="query")
@blueprint.response(200, StatsResponse)
def stats(slug: str) -> dict[str, Any]:
    """Say how the codes of a campaign stand at this moment."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    expired = campaigns.expired_codes(campaign)
    active = campaign.codes - campaign.redeemed - campaign.revoked - expired
    return {"campaign": campaign, "active_codes": active, "expired_codes": expired}


@blueprint.get("/campaigns/codes")
@blueprint.operation("codes_list_codes", NO_BATCH)
@blueprint.arguments(CodePageQuery, location="query")
@blueprint.response(200, CodePageResponse)
def list_codes(
    slug: str,
    limit: int,
    batch_id: str | None = None,
    status: str | None = None,
    cursor: str | None = None,
) -> dict[str, Any]:
    """List the codes of a campaign, masked, with who redeemed them."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    batch = campaigns.batch_by_uuid(batch_id, campaign) if batch_id else None
    codes, following = code_list.page(campaign, cursor, limit, status, batch)
    return {"codes": codes, "next_cursor": following, "limit": limit}


@blueprint.get("/campaigns/codes/export")
@blueprint.operation("codes_export", NO_BATCH)
@blueprint.arguments(BatchQuery, location="query")
@blueprint.response(
    200,
    CSV_SCHEMA,
    content_type=CSV_TYPE,
    description=f"Done. CSV: The columns {', '.join(COLUMNS)}; codes are masked.",
)
def export(slug: str, batch_id: str) -> Response:
    """Export the codes of a batch as CSV, masked, with their status."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    batch = campaigns.batch_by_uuid(batch_id, campaign)
    rows = (LISTED_CODE.dump(code).values() for code in code_list.of_batch(batch))
    return csv_response(f"status-{batch.uuid}", chain([COLUMNS], rows))


@blueprint.post("/campaigns/codes/jobs")
@blueprint.operation("jobs_add", NO_CAMPAIGN)
@blueprint.arguments(GenerateJobRequest)
@blueprint.idempotent()
@blueprint.response(202, JobResponse, headers=JOB_ADDRESS)
def add_job(slug: str, batch_size: int, **plan: Any) -> tuple[Job, dict[str, str]]:
    """Order a large batch of codes; a worker makes it."""
    settings: Settings = current_app.config["SETTINGS"]
    quota = Quota(settings.open_jobs_of_partner, settings.open_job_codes_of_partner)
    campaign = campaigns.by_slug(current_caller.owner, slug)
    job = jobs.add(campaign, batch_size, Plan(**plan), quota)
    return job, {"Location": f"{ROOT}/campaigns/codes/jobs/{job.uuid}"}


@blueprint.get("/campaigns/codes/jobs/<jobId>")
@blueprint.operation("jobs_show", NO_JOB)
@blueprint.arguments(EmptyRequest, location="query")
@blueprint.response(200, JobResponse)
def show_job(jobId: str) -> Job:
    """Say how far a job is."""
    return jobs.by_uuid(current_caller.owner, jobId)


@blueprint.delete("/campaigns/codes/jobs/<jobId>")
@blueprint.operation("jobs_cancel", NO_JOB | {409: "The job has ended already"})
@blueprint.arguments(EmptyRequest, location="query")
@blueprint.response(200, JobResponse)
def cancel_job(jobId: str) -> Job:
    """Cancel a job that has not ended; the codes that it has made are revoked, many by a worker."""
    return jobs.cancel(jobs.by_uuid(current_caller.owner, jobId), REVOKED_MOST)


@blueprint.get("/campaigns/codes/jobs/<jobId>/codes")
@blueprint.operation("jobs_codes", NO_JOB | NO_CODES)
@blueprint.arguments(EmptyRequest, location="query")
@blueprint.response(200, CSV_SCHEMA, content_type=CSV_TYPE, description=CODES_AS_CSV)
def hand_out_codes(jobId: str) -> Response:
    """Hand out the codes of a finished job as CSV, this once."""
    job = jobs.by_uuid(current_caller.owner, jobId)
    jobs.hand_out(job)
    codes = campaign_making.codes_of(job.batch)
    return codes_response(job.batch, codes, lambda complete: jobs.handed_out(job, complete))
