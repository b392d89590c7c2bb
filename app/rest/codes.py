"""Routes of campaign codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from app.rest import ROOT, answers, asked
from app.rest.endpoint import Answer, Caller, Csv, Route, prefers_csv
from app.rest.fields import Instant
from models.campaigns import campaign_batches, campaign_codes, campaign_making, campaigns, code_list
from models.campaigns.campaign_making import Plan
from models.promotions.campaign_counts import Campaign, CampaignBatch

NO_CAMPAIGN = {404: ["Campaign not found"]}
NO_BATCH = {404: ["Campaign not found", "Batch not found"]}
EXPORTED = (
    "code",
    "batchId",
    "status",
    "pointsValue",
    "expiresAt",
    "redeemedBy",
    "redeemedAt",
    "redemptionId",
)


def batch_shown(batch: CampaignBatch, campaign: Campaign) -> dict[str, Any]:
    """Return a batch as its schema names it."""
    return {
        "id": batch.uuid,
        "campaignId": campaign.uuid,
        "batchSize": max(batch.size, batch.total),
        "pointsValue": batch.points,
        "label": batch.label,
        "expiresAt": batch.expires_at,
        "createdAt": batch.created_at,
    }


def generate(
    caller: Caller,
    slug: str,
    batch_size: int,
    points_value: int,
    label: str | None,
    expires_at: int | None,
) -> Answer | Csv:
    """Make a batch of codes and show them this once, as CSV for those who accept that."""
    campaign = campaigns.by_slug(caller.owner, slug)
    batch, codes = campaign_making.generate(
        campaign, batch_size, Plan(points_value, label, expires_at)
    )
    if prefers_csv():
        return Csv(f"codes-{batch.uuid}", ([code] for code in ("code", *codes)))
    return Answer(
        {
            "batch": batch_shown(batch, campaign),
            "codes": codes,
            "count": len(codes),
            "gameUrl": f"{caller.settings.game_url.rstrip('/')}/campaign/{campaign.slug}",
        }
    )


def verify(caller: Caller, code: str) -> Answer:
    """Say whether a code can be redeemed; nothing is changed."""
    with caller.lookup_guard() as count_unknown:
        found = campaign_codes.find(caller.owner, code)
        if found is None:
            count_unknown()
    if found is None:
        return Answer(
            {
                "valid": False,
                "status": "",
                "pointsValue": 0,
                "campaignName": "",
                "campaignSlug": "",
                "expired": False,
                "message": "Code not found",
            }
        )
    campaign, status = found.campaign, found.status
    message = "Code is valid and redeemable"
    if status != campaign_codes.ACTIVE:
        message = f"Code status is {status}"
    elif not campaign.active:
        message = "Campaign is not active"
    elif campaign.ended:
        message = "Campaign has ended"
    return Answer(
        {
            "valid": status == campaign_codes.ACTIVE and campaign.running,
            "status": status,
            "pointsValue": found.batch.points,
            "campaignName": campaign.name,
            "campaignSlug": campaign.slug,
            "expired": campaign.ended,
            "message": message,
        }
    )


def list_batches(
    caller: Caller, slug: str, page: int, limit: int, until: int | None = None
) -> Answer:
    """List the batches of a campaign, newest first."""
    campaign = campaigns.by_slug(caller.owner, slug)
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
    return Answer(
        {
            "batches": [batch_shown(batch, campaign) for batch in rows],
            "total": total,
            "page": page,
            "limit": limit,
        },
        headers={"Link": link} if link else {},
    )


def stats(caller: Caller, slug: str) -> Answer:
    """Say how the codes of a campaign stand at this moment."""
    campaign = campaigns.by_slug(caller.owner, slug)
    expired = campaign_batches.expired_codes(campaign)
    return Answer(
        {
            "totalCodes": campaign.codes,
            "activeCodes": campaign.codes - campaign.redeemed - campaign.revoked - expired,
            "redeemedCodes": campaign.redeemed,
            "expiredCodes": expired,
            "revokedCodes": campaign.revoked,
            "totalBatches": campaign.batches,
        }
    )


def list_codes(
    caller: Caller,
    slug: str,
    limit: int,
    batch_id: str | None = None,
    status: str | None = None,
    cursor: str | None = None,
) -> Answer:
    """List the codes of a campaign, masked, with who redeemed them."""
    campaign = campaigns.by_slug(caller.owner, slug)
    batch = campaign_batches.by_uuid(campaign, batch_id) if batch_id else None
    lines, following = code_list.page(campaign, cursor, limit, status, batch)
    return Answer({"codes": map(_line, lines), "nextCursor": following, "limit": limit})


def export(caller: Caller, slug: str, batch_id: str) -> Csv:
    """Export the codes of a batch as CSV, masked, with their status."""
    campaign = campaigns.by_slug(caller.owner, slug)
    batch = campaign_batches.by_uuid(campaign, batch_id)
    return Csv(f"status-{batch.uuid}", _exported(batch))


def _line(line: code_list.Line) -> dict[str, Any]:
    used = line.redemption
    return {
        "code": line.masked,
        "batchId": line.batch.uuid,
        "status": line.status,
        "pointsValue": line.batch.points,
        "expiresAt": line.batch.expires_at,
        "redeemedBy": (used.user_id or None) if used else None,
        "redeemedAt": used.redeemed_at if used else None,
        "redemptionId": used.uuid if used else None,
    }


def _exported(batch: CampaignBatch) -> Iterator[list[Any]]:
    yield list(EXPORTED)
    instant = Instant()
    for line in code_list.lines_of(batch):
        cells = _line(line)
        for name in ("expiresAt", "redeemedAt"):
            cells[name] = instant._serialize(cells[name], name, cells)
        yield [cells[name] for name in EXPORTED]


ROUTES = [
    Route(
        "POST",
        "/campaigns/codes/generate",
        generate,
        answers.Generated,
        body=asked.Generate,
        refusals=NO_CAMPAIGN,
        changes=True,
        csv="The column `code` and all codes.",
    ),
    Route(
        "POST",
        "/campaigns/codes/verify",
        verify,
        answers.Verified,
        body=asked.Verify,
        refusals={429: ["Too many requests"]},
    ),
    Route(
        "GET",
        "/campaigns/codes/batches",
        list_batches,
        answers.BatchPage,
        query=asked.Pages,
        refusals=NO_CAMPAIGN,
    ),
    Route(
        "GET",
        "/campaigns/codes/stats",
        stats,
        answers.Stats,
        query=asked.OfCampaign,
        refusals=NO_CAMPAIGN,
    ),
    Route(
        "GET",
        "/campaigns/codes",
        list_codes,
        answers.CodePage,
        query=asked.CodePages,
        refusals=NO_BATCH,
    ),
    Route(
        "GET",
        "/campaigns/codes/export",
        export,
        query=asked.OfBatch,
        refusals=NO_BATCH,
        csv=f"The columns {', '.join(EXPORTED)}; codes are masked.",
    ),
]
