"""Counts of campaigns, kept in the transaction that changes a code, by either API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from typing import Any

from peewee import (
    BigIntegerField,
    Case,
    CharField,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
    fn,
)

from models.promotions.coupons import ALONE, Coupon
from models.store import clock, visibility
from models.store.base import Row
from models.store.prepared import Prepared, slot

ACTIVE, PAUSED, ENDED = "active", "paused", "ended"
PARTNER_LENGTH = NAME_LENGTH = LABEL_LENGTH = 255


@dataclass(frozen=True)
class Owner:
    """Name the owner of data: a partner in an environment. Data of others is not found."""

    environment: int = visibility.LIVE
    partner: str = ""


class Campaign(Row):
    """Keep one campaign and the counts of its codes.

    Times are Unix seconds, None when unset. `codes`, `redeemed` and `revoked` count codes and
    `batches` batches: the next batch gets that number plus one.
    """

    uuid = CharField(max_length=36, unique=True)
    environment = SmallIntegerField()
    partner = CharField(max_length=PARTNER_LENGTH)
    slug = CharField(max_length=63)
    name = CharField(max_length=NAME_LENGTH)
    status = CharField(max_length=16, default=ACTIVE)
    starts_at = BigIntegerField(null=True)
    ends_at = BigIntegerField(null=True)
    batches = IntegerField(default=0)
    codes = BigIntegerField(default=0)
    redeemed = BigIntegerField(default=0)
    revoked = BigIntegerField(default=0)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        indexes = ((("environment", "partner", "slug"), True),)

    @property
    def owner(self) -> Owner:
        """Return whose it is."""
        return Owner(self.environment, self.partner)

    @property
    def active(self) -> bool:
        """Tell whether it is neither paused nor still to start."""
        started = self.starts_at is None or self.starts_at <= clock.now()
        return self.status != PAUSED and started

    @property
    def ended(self) -> bool:
        """Tell whether it is over."""
        return self.status == ENDED or (self.ends_at is not None and self.ends_at <= clock.now())

    @property
    def running(self) -> bool:
        """Tell whether its codes can be redeemed."""
        return self.active and not self.ended


class CampaignBatch(Row):
    """Keep what a campaign says about a batch; a batch is in one campaign at most.

    `number` counts the batches of the campaign from 1 without gaps, so that any page of them is a
    range. `size` is how many codes were asked for, `total` how many there are, of which
    `redeemed` were used and `revoked` were withdrawn unused. Times are Unix seconds.
    """

    id = None
    batch_id = IntegerField(primary_key=True)
    uuid = CharField(max_length=36, unique=True)
    campaign = ForeignKeyField(Campaign, on_delete="RESTRICT", index=False)
    campaign_id: Any
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
            (("expires_at",), False),
        )

    @property
    def batch_size(self) -> int:
        """Return how many codes it has, or will have once all are made."""
        return max(self.size, self.total)

    @property
    def expired(self) -> bool:
        """Tell whether its codes have expired."""
        return self.expires_at is not None and self.expires_at <= clock.now()


REVOKED = Coupon.live.is_null() | Coupon.stopped
"""What withdraws a code that was not used."""
_USED = Coupon.num_usage > 0
COUNTED = {
    CampaignBatch.total: fn.COUNT(Coupon.id),
    CampaignBatch.redeemed: fn.COUNT(Case(None, [(_USED, 1)])),
    CampaignBatch.revoked: fn.COUNT(Case(None, [(~_USED & REVOKED, 1)])),
}
"""How the coupons of a batch make its counts."""


def count_codes(batch_id: int, total: int = 0, revoked: int = 0) -> None:
    """Count codes that were made, or revoked without being used, if the batch is in a campaign.

    Reactivated codes are negative.
    """
    campaign_id = campaign_of(batch_id)
    if campaign_id is not None:
        _add(batch_id, campaign_id, total=total, revoked=revoked)


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


def recount(batch_id: int) -> None:
    """Count the codes of a batch anew, if it is in a campaign: after changes to many at once."""
    known = CampaignBatch.get_or_none(batch_id=batch_id)
    if known is None:
        return
    counts: Any = Coupon.select(*COUNTED.values()).where(Coupon.batch_id == batch_id).tuples()
    total, redeemed, revoked = counts.get()
    _add(
        batch_id,
        known.campaign_id,
        total=total - known.total,
        redeemed=redeemed - known.redeemed,
        revoked=revoked - known.revoked,
    )


def end_of(last_day: date | None, zone: tzinfo) -> int | None:
    """Return the moment at which codes expire whose last day, in a zone, is this.

    None for codes that do not, as where no day follows.
    """
    if last_day is None or last_day == date.max:
        return None
    return clock.midnight(last_day + timedelta(days=1), zone)


def end_after(batch_id: int, last_day: date | None, zone: tzinfo) -> None:
    """Change the last day of a batch's codes, if it is in a campaign."""
    CampaignBatch.update(expires_at=end_of(last_day, zone)).where(
        CampaignBatch.batch_id == batch_id
    ).execute()


def _add(
    batch_id: int, campaign_id: int, total: int = 0, redeemed: int = 0, revoked: int = 0
) -> None:
    if total or redeemed or revoked:
        _add_to_batch.changed(id=batch_id, total=total, redeemed=redeemed, revoked=revoked)
        _add_to_campaign.changed(id=campaign_id, total=total, redeemed=redeemed, revoked=revoked)


def _addition(row_id: Any, codes: Any) -> Prepared:
    """Return the change that adds to the counts of one row; `codes` is its column of all codes."""
    table = row_id.model
    columns = {"total": codes, "redeemed": table.redeemed, "revoked": table.revoked}
    changes = {column: column + slot(name) for name, column in columns.items()}
    return Prepared(lambda: table.update(changes).where(row_id == slot("id")))


_add_to_batch = _addition(CampaignBatch.batch_id, CampaignBatch.total)
_add_to_campaign = _addition(Campaign.id, Campaign.codes)
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
