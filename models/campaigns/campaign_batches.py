"""Campaign batches: what a batch is in its campaign, and the counts of its codes."""

from __future__ import annotations

from datetime import date, timedelta, tzinfo
from typing import Any

from peewee import BigIntegerField, Case, CharField, IntegerField, fn

from models.campaigns import campaigns
from models.campaigns.campaigns import Campaign, Owner
from models.promotions.coupons import ALONE, Coupon
from models.store import clock
from models.store.base import Row
from models.store.errors import Conflict, NotFound
from models.store.prepared import Prepared, slot

LABEL_LENGTH = 255


class CampaignBatch(Row):
    """Keep what a campaign says about a batch; a batch is in one campaign at most.

    `number` counts the batches of the campaign from 1 without gaps, so that any page of them is a
    range. `size` is how many codes were asked for, `total` how many there are, of which
    `redeemed` were used and `revoked` were withdrawn unused. Times are Unix seconds.
    """

    id = None
    batch_id = IntegerField(primary_key=True)
    uuid = CharField(max_length=36, unique=True)
    campaign_id = IntegerField()
    number = IntegerField()
    points = IntegerField()
    label = CharField(max_length=LABEL_LENGTH, null=True)
    expires_at = BigIntegerField(null=True)
    size = IntegerField()
    total = IntegerField(default=0)
    redeemed = IntegerField(default=0)
    revoked = IntegerField(default=0)
    created_at = BigIntegerField()

    class Meta:
        indexes = (
            (("campaign_id", "number"), True),
            (("campaign_id", "expires_at"), False),
        )

    @property
    def expired(self) -> bool:
        """Tell whether its codes have expired."""
        return self.expires_at is not None and self.expires_at <= clock.now()


REVOKED = Coupon.live.is_null() | Coupon.stopped
"""What withdraws a code that was not used."""


def add(campaign: Campaign, batch_id: int, **fields: Any) -> CampaignBatch:
    """Make a batch one of the campaign's; the caller's transaction is where it happens."""
    campaigns.count(campaign.id, batches=1)
    number = Campaign.get_by_id(campaign.id).batches
    return CampaignBatch.create(
        batch_id=batch_id,
        uuid=clock.random_uuid(),
        campaign_id=campaign.id,
        number=number,
        created_at=clock.now(),
        **fields,
    )


def by_uuid(campaign: Campaign, uuid: str) -> CampaignBatch:
    """Return a batch of the campaign. Raises NotFound."""
    found = CampaignBatch.get_or_none(
        CampaignBatch.uuid == uuid, CampaignBatch.campaign_id == campaign.id
    )
    if found is None:
        raise NotFound("Batch not found", "batch_not_found")
    return found


def owned(owner: Owner, uuid: str) -> tuple[Campaign, CampaignBatch]:
    """Return a batch of the owner with its campaign. Raises NotFound."""
    found = CampaignBatch.get_or_none(CampaignBatch.uuid == uuid)
    if found is not None:
        campaign = Campaign.get_by_id(found.campaign_id)
        if campaign.owner == owner:
            return campaign, found
    raise NotFound("Batch not found", "batch_not_found")


def newest(campaign: Campaign, until: int, page: int, limit: int) -> list[CampaignBatch]:
    """Return a page, counted from 1, of the batches numbered up to `until`, newest first."""
    last = until - (page - 1) * limit
    return list(
        CampaignBatch.select()
        .where(
            CampaignBatch.campaign_id == campaign.id,
            CampaignBatch.number.between(last - limit + 1, last),
        )
        .order_by(CampaignBatch.number.desc())
    )


def expired_codes(campaign: Campaign) -> int:
    """Return how many codes can no longer be used only because their time has passed."""
    left = CampaignBatch.total - CampaignBatch.redeemed - CampaignBatch.revoked
    return (
        CampaignBatch.select(fn.COALESCE(fn.SUM(left), 0))
        .where(
            CampaignBatch.campaign_id == campaign.id,
            CampaignBatch.expires_at <= clock.now(),
        )
        .scalar()
    )


def count_made(batch_id: int, new: int) -> None:
    """Count new codes, if the batch is in a campaign."""
    _count(batch_id, total=new)


def campaign_of(batch_id: int) -> int | None:
    """Return the campaign that a batch is in, None for none: a batch with codes never joins one."""
    if batch_id == ALONE:
        return None
    row = _campaign_id.first(batch_id=batch_id)
    return row[0] if row else None


def count_use(batch_id: int, campaign_id: int | None, coupon_id: int, sign: int) -> None:
    """Count a code that has just been used (1) or given back (-1), if it is in a campaign.

    Further uses of the same code change nothing.
    """
    if campaign_id is None:
        return
    num_usage, live, stopped = _used.rows(coupon_id=coupon_id)[0]
    if num_usage == max(sign, 0):
        withdrawn = live is None or stopped
        _add(batch_id, campaign_id, redeemed=sign, revoked=-sign if withdrawn else 0)


def count_revoked(batch_id: int, n: int) -> None:
    """Count codes that were withdrawn, or reactivated when n is negative."""
    _count(batch_id, revoked=n)


def recount(batch_id: int) -> None:
    """Count the codes of a batch anew, if it is in a campaign: after changes to many at once."""
    if campaign_of(batch_id) is None:
        return
    known = CampaignBatch.get_by_id(batch_id)
    used = Coupon.num_usage > 0
    counts: Any = (
        Coupon.select(
            fn.COUNT(Coupon.id),
            fn.COALESCE(fn.SUM(Case(None, [(used, 1)], 0)), 0),
            fn.COALESCE(fn.SUM(Case(None, [(~used & REVOKED, 1)], 0)), 0),
        )
        .where(Coupon.batch_id == batch_id)
        .tuples()
    )
    total, redeemed, revoked = counts.get()
    _add(
        batch_id,
        known.campaign_id,
        total=total - known.total,
        redeemed=redeemed - known.redeemed,
        revoked=revoked - known.revoked,
    )


def end_of(last_day: date | None, zone: tzinfo) -> int | None:
    """Return the moment at which codes end that are good to the end of a day in a zone."""
    return None if last_day is None else clock.midnight(last_day + timedelta(days=1), zone)


def end_after(batch_id: int, last_day: date | None, zone: tzinfo) -> None:
    """Let the codes of a batch end after another day than before, if it is in a campaign."""
    CampaignBatch.update(expires_at=end_of(last_day, zone)).where(
        CampaignBatch.batch_id == batch_id
    ).execute()


def refuse_deletion(batch_id: int) -> None:
    """Raise Conflict for a batch of a campaign: its pages and totals count on it."""
    if campaign_of(batch_id) is not None:
        raise Conflict("The batch belongs to a campaign: archive it instead", "batch_in_campaign")


def _count(batch_id: int, **grown: int) -> None:
    campaign_id = campaign_of(batch_id)
    if campaign_id is not None:
        _add(batch_id, campaign_id, **grown)


def _add(
    batch_id: int, campaign_id: int, total: int = 0, redeemed: int = 0, revoked: int = 0
) -> None:
    if total or redeemed or revoked:
        _grow.changed(batch_id=batch_id, total=total, redeemed=redeemed, revoked=revoked)
        campaigns.count(campaign_id, codes=total, redeemed=redeemed, revoked=revoked)


_grow = Prepared(
    lambda: CampaignBatch.update(
        total=CampaignBatch.total + slot("total"),
        redeemed=CampaignBatch.redeemed + slot("redeemed"),
        revoked=CampaignBatch.revoked + slot("revoked"),
    ).where(CampaignBatch.batch_id == slot("batch_id"))
)
_used = Prepared(
    lambda: Coupon.select(Coupon.num_usage, Coupon.live, Coupon.stopped).where(
        Coupon.id == slot("coupon_id")
    )
)
_campaign_id = Prepared(
    lambda: CampaignBatch.select(CampaignBatch.campaign_id).where(
        CampaignBatch.batch_id == slot("batch_id")
    )
)
