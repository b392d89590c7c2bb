"""Routes that make, verify, list and export campaign codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from flask import Response

from app.rest import csv_responses
from app.rest.authentication import current_caller
from app.rest.blueprint import RestBlueprint
from app.rest.csv_responses import CSV_SCHEMA, CSV_TYPE, csv_response
from app.rest.envelope import ROOT
from app.rest.fields import iso_time
from app.rest.requests import (
    BatchPageQuery,
    BatchQuery,
    CampaignQuery,
    CodePageQuery,
    GenerateRequest,
    VerifyRequest,
)
from app.rest.responses import (
    BatchPageResponse,
    CodePageResponse,
    CodeResponse,
    GenerateResponse,
    StatsResponse,
    VerifyResponse,
)
from models.campaigns import campaign_batches, campaign_codes, campaign_making, campaigns, code_list
from models.campaigns.campaign_making import Plan
from models.promotions.campaign_counts import Campaign, CampaignBatch

NO_CAMPAIGN = {404: "Campaign not found"}
NO_BATCH = {404: "Campaign not found; Batch not found"}
CODES_AS_CSV = "Done. CSV: The column `code` and all codes."
COLUMNS = {name: str(field.data_key) for name, field in CodeResponse().fields.items()}
"""The columns of an export, by the names of their fields here."""
blueprint = RestBlueprint("codes")


def batch_data(batch: CampaignBatch, campaign: Campaign) -> dict[str, Any]:
    """Return the data of a BatchResponse."""
    return {
        "id": batch.uuid,
        "campaign_id": campaign.uuid,
        "batch_size": max(batch.size, batch.total),
        "points_value": batch.points,
        "label": batch.label,
        "expires_at": batch.expires_at,
        "created_at": batch.created_at,
    }


@blueprint.post("/campaigns/codes/generate")
@blueprint.operation("codes_generate", NO_CAMPAIGN)
@blueprint.arguments(GenerateRequest)
@blueprint.idempotent(varies_by_type=True)
@blueprint.response(200, GenerateResponse, description=CODES_AS_CSV)
@blueprint.alt_response(200, schema=CSV_SCHEMA, content_type=CSV_TYPE, description=CODES_AS_CSV)
def generate(
    slug: str, batch_size: int, points_value: int, label: str | None, expires_at: int | None
) -> dict[str, Any] | Response:
    """Make a batch of codes and show them this once, as CSV for those who accept that."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    batch, codes = campaign_making.generate(
        campaign, batch_size, Plan(points_value, label, expires_at)
    )
    if csv_responses.is_preferred():
        return csv_response(f"codes-{batch.uuid}", ([code] for code in ("code", *codes)))
    return {
        "batch": batch_data(batch, campaign),
        "codes": codes,
        "count": len(codes),
        "game_url": f"{current_caller.settings.game_url.rstrip('/')}/campaign/{campaign.slug}",
    }


@blueprint.post("/campaigns/codes/verify")
@blueprint.operation("codes_verify")
@blueprint.arguments(VerifyRequest)
@blueprint.response(200, VerifyResponse)
def verify(code: str) -> dict[str, Any]:
    """Say whether a code can be redeemed; nothing is changed."""
    with current_caller.lookup_guard() as count_unknown:
        found = campaign_codes.find(current_caller.owner, code)
        if found is None:
            count_unknown()
    if found is None:
        return {
            "valid": False,
            "status": "",
            "points_value": 0,
            "campaign_name": "",
            "campaign_slug": "",
            "expired": False,
            "message": "Code not found",
        }
    campaign, status = found.campaign, found.status
    message = "Code is valid and redeemable"
    if status != campaign_codes.ACTIVE:
        message = f"Code status is {status}"
    elif not campaign.active:
        message = "Campaign is not active"
    elif campaign.ended:
        message = "Campaign has ended"
    return {
        "valid": status == campaign_codes.ACTIVE and campaign.running,
        "status": status,
        "points_value": found.batch.points,
        "campaign_name": campaign.name,
        "campaign_slug": campaign.slug,
        "expired": campaign.ended,
        "message": message,
    }


@blueprint.get("/campaigns/codes/batches")
@blueprint.operation("codes_list_batches", NO_CAMPAIGN)
@blueprint.arguments(BatchPageQuery, location="query")
@blueprint.response(200, BatchPageResponse)
def list_batches(
    slug: str, page: int, limit: int, until: int | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """List the batches of a campaign, newest first."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    total = min(until or campaign.batches, campaign.batches)
    rows = campaign_batches.newest(campaign, total, page, limit)
    same = {"slug": slug, "limit": limit, "until": total}
    pages = -(-total // limit)
    links = {"first": 1, "prev": page - 1, "next": page + 1, "last": pages}
    link = ", ".join(
        f'<{ROOT}/campaigns/codes/batches?{urlencode(same | {"page": number})}>; rel="{name}"'
        for name, number in links.items()
        if 1 <= number <= pages
    )
    data = {
        "batches": [batch_data(batch, campaign) for batch in rows],
        "total": total,
        "page": page,
        "limit": limit,
    }
    return data, {"Link": link} if link else {}


@blueprint.get("/campaigns/codes/stats")
@blueprint.operation("codes_stats", NO_CAMPAIGN)
@blueprint.arguments(CampaignQuery, location="query")
@blueprint.response(200, StatsResponse)
def stats(slug: str) -> dict[str, Any]:
    """Say how the codes of a campaign stand at this moment."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    expired = campaign_batches.expired_codes(campaign)
    return {
        "total_codes": campaign.codes,
        "active_codes": campaign.codes - campaign.redeemed - campaign.revoked - expired,
        "redeemed_codes": campaign.redeemed,
        "expired_codes": expired,
        "revoked_codes": campaign.revoked,
        "total_batches": campaign.batches,
    }


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
    batch = campaign_batches.by_uuid(campaign, batch_id) if batch_id else None
    lines, following = code_list.page(campaign, cursor, limit, status, batch)
    return {"codes": map(_code_data, lines), "next_cursor": following, "limit": limit}


@blueprint.get("/campaigns/codes/export")
@blueprint.operation("codes_export", NO_BATCH)
@blueprint.arguments(BatchQuery, location="query")
@blueprint.response(
    200,
    CSV_SCHEMA,
    content_type=CSV_TYPE,
    description=f"Done. CSV: The columns {', '.join(COLUMNS.values())}; codes are masked.",
)
def export(slug: str, batch_id: str) -> Response:
    """Export the codes of a batch as CSV, masked, with their status."""
    campaign = campaigns.by_slug(current_caller.owner, slug)
    batch = campaign_batches.by_uuid(campaign, batch_id)
    return csv_response(f"status-{batch.uuid}", _export_rows(batch))


def _code_data(line: code_list.Line) -> dict[str, Any]:
    used = line.redemption
    return {
        "code": line.masked,
        "batch_id": line.batch.uuid,
        "status": line.status,
        "points_value": line.batch.points,
        "expires_at": line.batch.expires_at,
        "redeemed_by": (used.user_id or None) if used else None,
        "redeemed_at": used.redeemed_at if used else None,
        "redemption_id": used.uuid if used else None,
    }


def _export_rows(batch: CampaignBatch) -> Iterator[list[Any]]:
    yield list(COLUMNS.values())
    for line in code_list.lines_of(batch):
        cells = _code_data(line)
        for name in ("expires_at", "redeemed_at"):
            if cells[name] is not None:
                cells[name] = iso_time(cells[name])
        yield [cells[name] for name in COLUMNS]
