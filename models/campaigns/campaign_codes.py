"""Find, redeem and revoke campaign codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from peewee import CharField, IntegerField, SmallIntegerField

from models.campaigns import campaigns
from models.promotions import code_spelling, coupons
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.promotions.coupons import CODE_LENGTH, Coupon
from models.redemptions import players, redemptions, releases
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Refused, Use
from models.store import visibility
from models.store.base import Row, change, retried
from models.store.errors import Conflict, NotFound
from models.store.group_commit import run_in_group
from models.store.prepared import Prepared, numbered_slots, slot, slots

ACTIVE, REDEEMED, EXPIRED, REVOKED = "ACTIVE", "REDEEMED", "EXPIRED", "REVOKED"
STATUSES = (ACTIVE, REDEEMED, EXPIRED, REVOKED)
BATCH_AT = len(Coupon._meta.sorted_fields)
CAMPAIGN_AT = BATCH_AT + len(CampaignBatch._meta.sorted_fields)
"""Where the columns of the batch and of the campaign begin in a row of all three."""


class CodeAlias(Row):
    """Keep the folded form of a code that `code_spelling.candidates` does not yield."""

    environment = SmallIntegerField()
    folded = CharField(max_length=CODE_LENGTH)
    coupon_id = IntegerField()

    class Meta:
        indexes = ((("environment", "folded"), True),)


class WrongStatus(Conflict):
    """Say that the status of a code does not allow what was asked."""

    def __init__(self, status: str) -> None:
        super().__init__(f"Code status is {status}", f"code_{status.lower()}")


@dataclass(frozen=True)
class CampaignCode:
    """Hold a code with its batch."""

    coupon: Coupon
    batch: CampaignBatch

    @property
    def status(self) -> str:
        """Return one of STATUSES."""
        if self.coupon.num_usage > 0:
            return REDEEMED
        if self.coupon.live is None or self.coupon.stopped:
            return REVOKED
        return EXPIRED if self.batch.expired else ACTIVE

    def current(self) -> CampaignCode:
        """Return the code as it is by now. Raises NotFound when it was deleted."""
        return CampaignCode(coupons.current(self.coupon), self.batch)


@dataclass(frozen=True)
class PointsChange:
    """Hold a redemption that gave or took points, the user's points and the code's status now."""

    redemption: Redemption
    total_points: int
    status: str = REDEEMED


def find(owner: Owner, text: str) -> CampaignCode | None:
    """Return the code that the text stands for, None when the owner has none.

    A code of others takes the same look-ups as one that nobody has.
    """
    forms = code_spelling.candidate_forms(text)
    found = _of_owner(owner, text.strip(), forms) if forms else []
    if not found:
        folded = code_spelling.folded(text)[:CODE_LENGTH]
        alias = _alias.first(environment=owner.environment, folded=folded)
        found = _of_owner(owner, coupon_id=alias[0] if alias else 0)
    rank = {form: at for at, form in enumerate(forms)}
    return min(
        found,
        key=lambda one: (
            one.coupon.live is None,
            one.coupon.code != text.strip(),
            rank.get(one.coupon.form or "", 0),
        ),
        default=None,
    )


def known(owner: Owner, text: str) -> CampaignCode:
    """Return the code that the text stands for. Raises NotFound when the owner has none."""
    found = find(owner, text)
    if found is None:
        raise NotFound("Code not found", "code_not_found")
    return found


@retried
def redeem(
    owner: Owner,
    slug: str,
    user_id: str,
    text: str,
    today: date,
    display_name: str | None = None,
) -> PointsChange:
    """Redeem a code for a user, who gets its points; of concurrent calls only one succeeds.

    `display_name` is what the user is called from now on, where it is said. Raises NotFound for the
    campaign or the code, and WrongStatus.
    """
    campaign = campaigns.by_slug_or_none(owner, slug)
    found = find(owner, text)
    if campaign is None or not campaign.running:
        raise NotFound("Campaign not found or not active", "campaign_not_found")
    if found is None or found.batch.campaign_id != campaign.id:
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

    def store() -> PointsChange:
        redemption, _ = redemptions.redeem(found.coupon, use)
        if display_name is not None:
            players.name(campaign.id, user_id, display_name)
        return PointsChange(redemption, players.points(campaign.id, user_id))

    try:
        return run_in_group(store)
    except Refused as refused:
        if refused.key == "busy":
            raise
        now = found.current().status
        if now == ACTIVE:  # the legacy API has ended it in a way of its own
            now = EXPIRED if refused.key == "code_expired" else REVOKED
        raise WrongStatus(now) from None


@retried
def roll_back(owner: Owner, slug: str, uuid: str, today: date) -> PointsChange:
    """Undo a redemption, once; its row stays.

    Raises NotFound, and Conflict when it was rolled back already.
    """
    campaign = campaigns.by_slug(owner, slug)
    redemption = Redemption.get_or_none(uuid=uuid, campaign_id=campaign.id)
    if redemption is None:
        raise NotFound("Redemption not found", "redemption_not_found")
    with change():
        redemption, released = releases.give_back(redemption, today)
        total = players.points(campaign.id, redemption.user_id)
        if not released:
            raise Conflict("Redemption was rolled back already", "redemption_rolled_back")
        coupon = Coupon.get_or_none(id=redemption.coupon_id)
        batch = CampaignBatch.get_by_id(redemption.batch_id)
        status = CampaignCode(coupon, batch).status if coupon else REVOKED
    return PointsChange(redemption, total, status)


def _of_owner(
    owner: Owner, code: str = "", forms: Sequence[str] = (), coupon_id: int = 0
) -> list[CampaignCode]:
    """Return the owner's codes with this spelling or these forms, without any the one with the id.

    One query whatever there is: more of them would tell by time that others have the code.
    """
    query = _query_of_owner(owner.environment, len(forms))
    found = []
    values = {"code": code, "id": coupon_id, "partner": owner.partner, **numbered_slots(forms)}
    for row in query.rows(**values):
        batch = CampaignBatch.of_row(row[BATCH_AT:CAMPAIGN_AT])
        batch.campaign = Campaign.of_row(row[CAMPAIGN_AT:])
        found.append(CampaignCode(Coupon.of_row(row[:BATCH_AT]), batch))
    return found


@cache
def _query_of_owner(environment: int, forms: int) -> Prepared:
    spelled = (Coupon.code == slot("code")) | Coupon.form.in_(slots(forms))
    return Prepared(
        lambda: (
            Coupon.select(Coupon, CampaignBatch, Campaign)
            .join(CampaignBatch, on=(CampaignBatch.batch_id == Coupon.batch_id))
            .join(Campaign)
            .where(
                spelled if forms else Coupon.id == slot("id"),
                # Not by the index of the realm (see coupons.SEEN).
                (Coupon.realm + 0).in_(visibility.of_environment(environment)),
                Campaign.partner == slot("partner"),
            )
        )
    )


_alias = Prepared(
    lambda: CodeAlias.select(CodeAlias.coupon_id).where(
        CodeAlias.environment == slot("environment"), CodeAlias.folded == slot("folded")
    )
)
