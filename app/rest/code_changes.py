"""Routes that change campaign codes: redeemed, rolled back, revoked, brought along."""

from __future__ import annotations

from app.rest import answers, asked
from app.rest.codes import NO_CAMPAIGN, batch_shown
from app.rest.endpoint import Answer, Caller, Route
from app.rest.envelope import Failure
from models.campaigns import campaign_batches, campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import CodesClash, Plan

WRONG_STATUS = [f"Code status is {status}" for status in campaign_codes.STATUSES]


def bring(
    caller: Caller,
    slug: str,
    codes: list[str],
    points_value: int,
    label: str | None,
    expires_at: int | None,
    skip_rejected: bool,
) -> Answer:
    """Make a batch of codes that came from elsewhere, all or none unless some may be left out."""
    campaign = campaigns.by_slug(caller.owner, slug)
    plan = Plan(points_value, label, expires_at)
    try:
        brought = campaign_making.bring(campaign, codes, plan, skip_rejected)
    except CodesClash as clash:
        errors = {f"codes.{at}": [reason] for at, reason in clash.rejected.items()}
        raise Failure(409, clash.sentence, clash.key, errors) from None
    return Answer(
        {
            "batch": batch_shown(brought.batch, campaign),
            "count": brought.count,
            "rejected": [
                {"line": at + 1, "code": codes[at], "reason": reason}
                for at, reason in brought.rejected.items()
            ],
        }
    )


def redeem(caller: Caller, slug: str, user_id: str, code: str) -> Answer:
    """Use a code for a user, who earns its points."""
    with caller.lookup_guard(user_id):
        done = campaign_codes.redeem(caller.owner, slug, user_id, code, caller.today)
    return Answer(
        {
            "pointsEarned": done.redemption.points,
            "pointsAwarded": done.redemption.points,
            "totalPoints": done.total_points,
            "code": done.redemption.code,
            "status": campaign_codes.REDEEMED,
            "message": "Code redeemed successfully",
            "redemptionId": done.redemption.uuid,
        }
    )


def roll_back(caller: Caller, slug: str, redemption_id: str) -> Answer:
    """Take a redemption back: the code can be used again, and the history stays."""
    undone, status = campaign_codes.roll_back(caller.owner, slug, redemption_id, caller.today)
    redemption = undone.redemption
    return Answer(
        {
            "redemptionId": redemption.uuid,
            "userId": redemption.user_id,
            "pointsRolledBack": redemption.points,
            "totalPoints": undone.total_points,
            "code": redemption.code,
            "status": status,
            "message": "Redemption rolled back successfully",
        }
    )


def revoke(caller: Caller, code: str | None = None, batch_id: str | None = None) -> Answer:
    """Withdraw a code, or all codes of a batch, as far as they were not used."""
    if code is not None:
        campaign_codes.revoke(caller.owner, code)
        count = 1
    else:
        _, batch = campaign_batches.owned(caller.owner, batch_id or "")
        count = campaign_codes.revoke_batch(batch)
    return _turned(count, campaign_codes.REVOKED, "Codes revoked successfully")


def reactivate(caller: Caller, code: str | None = None, batch_id: str | None = None) -> Answer:
    """Take back that a code or a batch was revoked."""
    if code is not None:
        status = campaign_codes.reactivate(caller.owner, code).status
        count = 1
    else:
        campaign, batch = campaign_batches.owned(caller.owner, batch_id or "")
        count = campaign_codes.reactivate_batch(campaign, batch)
        status = campaign_codes.EXPIRED if batch.expired else campaign_codes.ACTIVE
    return _turned(count, status, "Codes reactivated successfully")


def _turned(count: int, status: str, message: str) -> Answer:
    return Answer({"count": count, "status": status, "message": message})


ROUTES = [
    Route(
        "POST",
        "/campaigns/{slug}/redeem",
        redeem,
        answers.Redeemed,
        body=asked.Redeem,
        refusals={
            404: ["Campaign not found or not active", "Code not found"],
            409: WRONG_STATUS,
        },
        changes=True,
    ),
    Route(
        "POST",
        "/campaigns/{slug}/redemptions/{redemptionId}/rollback",
        roll_back,
        answers.RolledBack,
        body=asked.Nothing,
        refusals={
            404: ["Campaign not found", "Redemption not found"],
            409: ["Redemption was rolled back already"],
        },
        changes=True,
    ),
    Route(
        "POST",
        "/campaigns/codes/import",
        bring,
        answers.Imported,
        body=asked.Bring,
        refusals=NO_CAMPAIGN | {409: ["Some codes cannot be imported"]},
        changes=True,
    ),
    Route(
        "POST",
        "/campaigns/codes/revoke",
        revoke,
        answers.Turned,
        body=asked.Which,
        refusals={404: ["Code not found", "Batch not found"], 409: WRONG_STATUS},
        changes=True,
    ),
    Route(
        "POST",
        "/campaigns/codes/reactivate",
        reactivate,
        answers.Turned,
        body=asked.Which,
        refusals={404: ["Code not found", "Batch not found"], 409: WRONG_STATUS},
        changes=True,
    ),
]
