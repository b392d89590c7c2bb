"""Routes that import, redeem, revoke and reactivate campaign codes."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from app.rest.authentication import current_caller, noting
from app.rest.blueprint import RestBlueprint
from app.rest.codes import NO_CAMPAIGN
from app.rest.envelope import Failure, failure
from app.rest.requests import CodeOrBatchRequest, EmptyRequest, ImportRequest, RedeemRequest
from app.rest.responses import (
    ImportResponse,
    RedeemResponse,
    RollbackResponse,
    StatusChangeResponse,
)
from models.campaigns import campaign_codes, campaign_making, campaigns, revocations
from models.campaigns.campaign_codes import PointsChange
from models.campaigns.campaign_making import CodesClash, Plan
from models.promotions.coupons import EXISTS
from models.store.errors import Conflict

NOT_FOUND = {404: "Code not found; Batch not found"}
NOT_REDEEMED = "Code status is REDEEMED; Code status is EXPIRED; Code status is REVOKED"
NOT_REVOKED = (
    "Code status is REDEEMED; Code status is REVOKED; The codes of the batch are still being made"
)
NOT_REACTIVATED = (
    "Code status is ACTIVE; Code status is REDEEMED; Code status is EXPIRED; The code is live "
    "elsewhere by now; A code of the batch is live elsewhere by now; The codes of the batch are "
    "still being made; The batch is archived"
)
ONE_CODE = {"code": "SUMM-AX7K9M2P"}
blueprint = RestBlueprint("code_changes")


@blueprint.post("/campaigns/<slug>/redeem")
@blueprint.operation(
    "code_changes_redeem",
    {404: "Campaign not found or not active; Code not found", 409: NOT_REDEEMED},
)
@blueprint.arguments(RedeemRequest)
@blueprint.idempotent()
@blueprint.response(200, RedeemResponse)
def redeem(slug: str, user_id: str, code: str, display_name: str | None = None) -> PointsChange:
    """Use a code for a user, who earns its points."""
    owner, today = current_caller.owner, current_caller.today
    with noting("redeem", code, user_id), current_caller.lookup_guard(user_id):
        change = campaign_codes.redeem(owner, slug, user_id, code, today, display_name)
    g.redemption_id = change.redemption.id  # a kept answer is forgotten when it is rolled back
    return change


@blueprint.post("/campaigns/<slug>/redemptions/<redemptionId>/rollback")
@blueprint.operation(
    "code_changes_roll_back",
    {404: "Campaign not found; Redemption not found", 409: "Redemption was rolled back already"},
)
@blueprint.arguments(EmptyRequest)
@blueprint.idempotent()
@blueprint.response(200, RollbackResponse)
def roll_back(slug: str, redemptionId: str) -> PointsChange:
    """Take a redemption back: the code can be used again, and the history stays."""
    owner, today = current_caller.owner, current_caller.today
    return campaign_codes.roll_back(owner, slug, redemptionId, today)


@blueprint.post("/campaigns/codes/import")
@blueprint.operation("code_changes_bring", NO_CAMPAIGN | {409: "Some codes cannot be imported"})
@blueprint.arguments(ImportRequest)
@blueprint.idempotent()
@blueprint.response(200, ImportResponse)
def import_codes(
    slug: str, codes: list[str], skip_rejected: bool = False, **plan: Any
) -> dict[str, Any] | Response:
    """Make a batch of codes that came from elsewhere, all or none unless some may be left out."""
    _count_foreign(0)  # who is locked out has nothing looked up
    campaign = campaigns.by_slug(current_caller.owner, slug)
    try:
        batch, rejected = campaign_making.import_codes(
            campaign, codes, Plan(**plan), skip_rejected, _count_foreign
        )
    except CodesClash as clash:
        errors = {f"codes.{at}": [reason] for at, reason in clash.rejected.items()}
        # Not raised: with a key it is kept, as every refusal of the store is.
        return failure(Failure(409, clash.sentence, clash.key, errors))
    return {
        "batch": batch,
        "count": batch.total,
        "rejected": [
            {"line": at + 1, "code": codes[at], "reason": reason} for at, reason in rejected.items()
        ],
    }


@blueprint.post("/campaigns/codes/revoke")
@blueprint.operation("code_changes_revoke", NOT_FOUND | {409: NOT_REVOKED})
@blueprint.arguments(CodeOrBatchRequest, example=ONE_CODE)
@blueprint.idempotent()
@blueprint.response(200, StatusChangeResponse)
def revoke(code: str | None = None, batch_id: str | None = None) -> dict[str, Any]:
    """Withdraw a code, or all codes of a batch, as far as they were not used."""
    if code is not None:
        with current_caller.lookup_guard():
            revocations.revoke(current_caller.owner, code)
        count = 1
    else:
        batch = campaigns.batch_by_uuid(batch_id or "", current_caller.owner)
        count = revocations.revoke_batch(batch)
    status = campaign_codes.REVOKED
    return {"count": count, "status": status, "message": "Codes revoked successfully"}


@blueprint.post("/campaigns/codes/reactivate")
@blueprint.operation("code_changes_reactivate", NOT_FOUND | {409: NOT_REACTIVATED})
@blueprint.arguments(CodeOrBatchRequest, example=ONE_CODE)
@blueprint.idempotent()
@blueprint.response(200, StatusChangeResponse)
def reactivate(code: str | None = None, batch_id: str | None = None) -> dict[str, Any]:
    """Reactivate a code, or the codes of a batch, that were revoked."""
    _count_foreign(0)
    try:
        if code is not None:
            with current_caller.lookup_guard():
                status = revocations.reactivate(current_caller.owner, code).status
            count = 1
        else:
            batch = campaigns.batch_by_uuid(batch_id or "", current_caller.owner)
            count = revocations.reactivate_batch(batch)
            status = campaign_codes.EXPIRED if batch.expired else campaign_codes.ACTIVE
    except Conflict as clash:
        if clash.key == EXISTS:
            _count_foreign(1)
        raise
    return {"count": count, "status": status, "message": "Codes reactivated successfully"}


def _count_foreign(times: int) -> None:
    """Count codes of others that the caller would learn of, 0 or more. Raises TooMany.

    The same ones are told again where the store repeats a change: they are counted once.
    """
    known: int = g.get("foreign_codes", 0)
    g.foreign_codes = max(times, known)
    current_caller.count_foreign(g.foreign_codes - known)
