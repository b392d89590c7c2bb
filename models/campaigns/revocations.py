"""Revoke and reactivate campaign codes, one by one and whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import IntegrityError

from models.campaigns.campaign_codes import CampaignCode, WrongStatus, known
from models.promotions import batches, campaign_counts, coupon_lists, event_facts
from models.promotions.batches import Batch
from models.promotions.campaign_counts import CampaignBatch, Owner
from models.promotions.coupons import EXISTS, Coupon
from models.store import audit, clock
from models.store.base import change, retried
from models.store.errors import Conflict

CHUNK = 20_000
"""How many codes of a batch are revoked at once: other writers come between."""


def revoke(owner: Owner, text: str) -> CampaignCode:
    """Withdraw a code that was not used. Raises NotFound and WrongStatus."""
    code = known(owner, text)
    return _change_code(code, Coupon.live.is_null(False), 1, live=None, shelved=True)


def reactivate(owner: Owner, text: str) -> CampaignCode:
    """Reactivate a revoked code. Raises NotFound and WrongStatus."""
    code = known(owner, text)
    _require_live(code.batch)
    environment = code.batch.campaign.environment
    back = {"live": environment, "active": True, "shelved": None, "stopped": None}
    try:
        return _change_code(code, campaign_counts.REVOKED, -1, **back)
    except IntegrityError as problem:
        raise Conflict("The code is live elsewhere by now", EXISTS) from problem


def revoke_batch(batch: CampaignBatch) -> int:
    """Withdraw all codes of a batch that were not used; return how many."""
    _require_complete(batch)
    return _change_batch(batch, Coupon.live.is_null(False), 1, live=None)


def revoke_for_good(batch: CampaignBatch) -> int:
    """Withdraw all codes of a batch that were not used, so that none comes back with it."""
    return _change_batch(batch, Coupon.live.is_null(False), 1, live=None, shelved=True)


def reactivate_batch(batch: CampaignBatch) -> int:
    """Reactivate a revoked batch, but for the codes that were revoked one by one.

    Return how many codes. Raises Conflict when one of them is live elsewhere.
    """
    _require_complete(batch)
    _require_live(batch)
    which = Coupon.live.is_null() & Coupon.shelved.is_null()
    try:
        return _change_batch(batch, which, -1, live=batch.campaign.environment)
    except IntegrityError as problem:
        raise Conflict("A code of the batch is live elsewhere by now", EXISTS) from problem


@retried
def _change_code(code: CampaignCode, which: Any, revoked: int, **changes: object) -> CampaignCode:
    """Change the code if `which` holds and it was not used. Raises WrongStatus."""
    with change():
        done = _change_unused(code.batch, (Coupon.id == code.coupon.id, which), revoked, **changes)
        now = code.current()
        if not done:
            raise WrongStatus(now.status)
        _note(code.batch, 1, revoked)
        if revoked > 0:
            event_facts.tell_revoked(code.coupon, "revoked")
    return now


def _require_complete(batch: CampaignBatch) -> None:
    if batch.total < batch.size:
        raise Conflict("The codes of the batch are still being made", "batch_unfinished")


def _require_live(batch: CampaignBatch) -> None:
    """Raise Conflict for a batch that the legacy API has archived."""
    if not Batch.get_by_id(batch.batch_id).live:
        raise Conflict("The batch is archived", "batch_archived")


def _change_batch(batch: CampaignBatch, which: Any, revoked: int, **changes: object) -> int:
    """Change the unused codes of a batch where `which` holds, in slices of their ids."""
    done = 0
    for rows in coupon_lists.slices_of_batch(("id",), batch.batch_id, CHUNK):
        ids = Coupon.id.between(rows[0][0], rows[-1][0])
        here = (Coupon.batch_id == batch.batch_id, ids, which)
        done += _change_slice(batch, here, revoked, **changes)
    if done:
        _note(batch, done, revoked)
    return done


@retried
def _note(batch: CampaignBatch, codes: int, revoked: int) -> None:
    with change():
        action = "revoked" if revoked > 0 else "reactivated"
        audit.note(action, "batch", batch.batch_id, batch.label or "", after={"codes": codes})


@retried
def _change_slice(
    batch: CampaignBatch, which: Sequence[Any], revoked: int, **changes: object
) -> int:
    """Change a slice of a batch as `_change_unused` does, and tell of codes that it revokes."""
    with change():
        done = _change_unused(batch, which, revoked, **changes)
        if done and revoked > 0:
            realm = Batch.get_by_id(batch.batch_id).realm
            event_facts.tell_revoked_codes(batch.batch_id, realm, done, "revoked")
    return done


@retried
def _change_unused(
    batch: CampaignBatch, which: Sequence[Any], revoked: int, **changes: object
) -> int:
    """Change the codes of a batch where `which` holds and that were not used; return how many.

    `revoked` is 1 when that revokes them and -1 when it takes that back.
    """
    with change():
        done = int(Coupon.update(changes).where(*which, Coupon.num_usage == 0).execute())
        if done:
            batches.bump(batch.batch_id, updated_at=clock.now())
            campaign_counts.count_codes(batch.batch_id, revoked=revoked * done)
    return done
