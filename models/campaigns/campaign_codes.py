"""Campaign codes: find one as a person types it, tell its status, redeem and revoke it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from peewee import CharField, IntegerField, IntegrityError, SmallIntegerField

from models.campaigns import campaign_search, campaigns
from models.promotions import batches, campaign_counts, code_spelling, coupons
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.promotions.coupons import CODE_LENGTH, Coupon
from models.redemptions import players, redemptions, releases
from models.redemptions.redemptions import Redemption
from models.redemptions.use_rules import Refused, Use
from models.store import clock
from models.store.base import Row, change, retried
from models.store.errors import Conflict, NotFound
from models.store.group_commit import together
from models.store.prepared import Prepared, slot

ACTIVE, REDEEMED, EXPIRED, REVOKED = "ACTIVE", "REDEEMED", "EXPIRED", "REVOKED"
STATUSES = (ACTIVE, REDEEMED, EXPIRED, REVOKED)
CHUNK = 20_000
"""How many codes of a batch are withdrawn at once: other writers come between."""


class CodeAlias(Row):
    """Keep the folded form of a code that cannot be told from what is typed for it."""

    environment = SmallIntegerField()
    folded = CharField(max_length=CODE_LENGTH)
    coupon_id = IntegerField()

    class Meta:
        indexes = ((("environment", "folded"), True),)


@dataclass(frozen=True)
class Found:
    """Hold a code with its batch and its campaign."""

    coupon: Coupon
    batch: CampaignBatch
    campaign: Campaign

    @property
    def status(self) -> str:
        """Return one of STATUSES."""
        return status(self.coupon, self.batch)


class WrongStatus(Conflict):
    """Say that the status of a code does not allow what was asked."""

    def __init__(self, status: str) -> None:
        super().__init__(f"Code status is {status}", f"code_{status.lower()}")


@dataclass(frozen=True)
class Redeemed:
    """Hold what a redemption earned and what its user has now."""

    redemption: Redemption
    total_points: int


def status(coupon: Coupon, batch: CampaignBatch) -> str:
    """Return the status of a code of the batch."""
    if coupon.num_usage > 0:
        return REDEEMED
    if coupon.live is None or coupon.stopped:
        return REVOKED
    return EXPIRED if batch.expired else ACTIVE


def find(owner: Owner, text: str) -> Found | None:
    """Return the code that the text stands for, None when the owner has none.

    A code of others takes the same look-ups as one that nobody has.
    """
    wanted = [code for code in code_spelling.candidates(text) if 0 < len(code) <= CODE_LENGTH]
    rows = campaign_search.owned(owner, wanted) if wanted else []
    if not rows:
        alias = _alias.first(
            environment=owner.environment, folded=code_spelling.folded(text)[:CODE_LENGTH]
        )
        rows = campaign_search.owned(owner, coupon_id=alias[0] if alias else 0)
    found = [Found(*row) for row in rows]
    rank = {code: at for at, code in enumerate(wanted)}
    found.sort(key=lambda one: (one.coupon.live is None, rank.get(one.coupon.code, 0)))
    return found[0] if found else None


@retried
def redeem(owner: Owner, slug: str, user_id: str, text: str, today: date) -> Redeemed:
    """Use a code for a user, who gets its points; one of any number of calls at once does.

    Raises NotFound for the campaign or the code, and WrongStatus.
    """
    campaign = campaigns.by_slug_or_none(owner, slug)
    found = find(owner, text)
    if campaign is None or not campaign.running:
        raise NotFound("Campaign not found or not active", "campaign_not_found")
    if found is None or found.campaign.id != campaign.id:
        raise NotFound("Code not found", "code_not_found")
    if found.status != ACTIVE:
        raise WrongStatus(found.status)
    use = Use(
        today=today,
        places=0,
        campaign_id=campaign.id,
        user_id=user_id,
        points=found.batch.points,
    )

    def store() -> tuple[Redemption, int]:
        redemption, _ = redemptions.redeem(found.coupon, use)
        return redemption, players.points(campaign.id, user_id)

    try:
        redemption, total = together(store)
    except Refused as refused:
        if refused.key == "busy":
            raise
        now = status(coupons.current(found.coupon), found.batch)
        if now == ACTIVE:  # the legacy dialect has ended it in a way of its own
            now = EXPIRED if refused.key == "code_expired" else REVOKED
        raise WrongStatus(now) from None
    return Redeemed(redemption, total)


@retried
def roll_back(owner: Owner, slug: str, uuid: str, today: date) -> tuple[Redeemed, str]:
    """Undo a redemption, once; its row stays. Return also the status that the code has now.

    Raises NotFound, and Conflict when it was rolled back already.
    """
    campaign = campaigns.by_slug(owner, slug)
    row = _by_uuid.first(uuid=uuid, campaign_id=campaign.id)
    if row is None:
        raise NotFound("Redemption not found", "redemption_not_found")
    with change():
        redemption, released = releases.give_back(Redemption.of_row(row), today)
        total = players.points(campaign.id, redemption.user_id)
        if not released:
            raise Conflict("Redemption was rolled back already", "redemption_rolled_back")
        coupon = Coupon.get_or_none(Coupon.id == redemption.coupon_id)
        batch = CampaignBatch.get_by_id(redemption.batch_id)
        now = status(coupon, batch) if coupon else REVOKED
    return Redeemed(redemption, total), now


@retried
def revoke(owner: Owner, text: str) -> Found:
    """Withdraw a code that was not used. Raises NotFound and WrongStatus."""
    found = _known(owner, text)
    with change():
        done = _turn(found, Coupon.live.is_null(False), live=None, shelved=True)
        if done:
            campaign_counts.count_revoked(found.batch.batch_id, 1)
    return _turned(owner, found, done)


@retried
def reactivate(owner: Owner, text: str) -> Found:
    """Take back that a code was withdrawn. Raises NotFound and WrongStatus."""
    found = _known(owner, text)
    _require_standing(found.batch)
    try:
        with change():
            done = _turn(
                found,
                Coupon.live.is_null() | Coupon.stopped,
                live=found.campaign.environment,
                shelved=None,
                stopped=None,
                active=True,
            )
            if done:
                campaign_counts.count_revoked(found.batch.batch_id, -1)
    except IntegrityError as problem:
        raise Conflict("The code is live elsewhere by now", "code_exists") from problem
    return _turned(owner, found, done)


def revoke_batch(batch: CampaignBatch) -> int:
    """Withdraw all codes of a batch that were not used; return how many."""
    _require_made(batch)
    return _turn_all(batch, Coupon.live.is_null(False), 1, live=None)


def reactivate_batch(campaign: Campaign, batch: CampaignBatch) -> int:
    """Take back that a batch was withdrawn, but for the codes that were so alone.

    Return how many codes. Raises Conflict when one of them is live elsewhere.
    """
    _require_made(batch)
    _require_standing(batch)
    which = Coupon.live.is_null() & Coupon.shelved.is_null()
    try:
        return _turn_all(batch, which, -1, live=campaign.environment)
    except IntegrityError as problem:
        raise Conflict("A code of the batch is live elsewhere by now", "code_exists") from problem


_by_uuid = Prepared(
    lambda: Redemption.select().where(
        Redemption.uuid == slot("uuid"), Redemption.campaign_id == slot("campaign_id")
    )
)
_alias = Prepared(
    lambda: CodeAlias.select(CodeAlias.coupon_id).where(
        CodeAlias.environment == slot("environment"), CodeAlias.folded == slot("folded")
    )
)


def _known(owner: Owner, text: str) -> Found:
    found = find(owner, text)
    if found is None:
        raise NotFound("Code not found", "code_not_found")
    return found


def _turn(found: Found, which: object, **changes: object) -> int:
    """Change the code where `which` holds and it was not used; return how many rows."""
    done = (
        Coupon.update(changes)
        .where(Coupon.id == found.coupon.id, Coupon.num_usage == 0, which)
        .execute()
    )
    if done:
        batches.bump(found.coupon.batch_id, updated_at=clock.now())
    return int(done)


def _turned(owner: Owner, found: Found, done: int) -> Found:
    now = Found(coupons.current(found.coupon), found.batch, found.campaign)
    if not done:
        raise WrongStatus(now.status)
    return now


def _require_made(batch: CampaignBatch) -> None:
    if batch.total < batch.size:
        raise Conflict("The codes of the batch are still being made", "batch_unfinished")


def _require_standing(batch: CampaignBatch) -> None:
    """Raise Conflict for a batch that the legacy dialect has archived: there it comes back."""
    if not Batch.get_by_id(batch.batch_id).live:
        raise Conflict("The batch is archived", "batch_archived")


def _turn_all(batch: CampaignBatch, which: object, revoked: int, **changes: object) -> int:
    """Change the unused codes of a batch where `which` holds, in slices of their ids.

    `revoked` is 1 when that withdraws them and -1 when it takes that back.
    """
    turned = last = 0
    here = (Coupon.batch_id == batch.batch_id, Coupon.num_usage == 0, which)
    while True:
        ids: Any = Coupon.select(Coupon.id).where(*here, Coupon.id > last).order_by(Coupon.id)
        some = [row[0] for row in ids.limit(CHUNK).tuples()]
        if not some:
            return turned
        last = some[-1]
        turned += _turn_slice(batch, (*here, Coupon.id.between(some[0], last)), revoked, changes)


@retried
def _turn_slice(
    batch: CampaignBatch, which: Sequence[Any], revoked: int, changes: Mapping[str, object]
) -> int:
    with change():
        done = int(Coupon.update(changes).where(*which).execute())
        campaign_counts.count_revoked(batch.batch_id, revoked * done)
        batches.bump(batch.batch_id, updated_at=clock.now())
    return done
