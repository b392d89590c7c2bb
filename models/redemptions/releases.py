"""Release a redemption: give its use back to the code."""

from __future__ import annotations

from datetime import date
from functools import partial

from models.promotions import batches, campaign_counts, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import daily_sums, players, redemption_events, services
from models.redemptions.redemption import RELEASED, USED, Redemption, by_id
from models.store import audit, clock, visibility
from models.store.base import change, retried
from models.store.errors import NotFound
from models.webhooks import events, webhooks

MASKED = "a code of a campaign"
"""What the audit says in the place of a code that is masked elsewhere."""


def release(redemption_id: int, today: date) -> tuple[Redemption, bool]:
    """Undo a use and give it back to the code, once; its row stays.

    Return the redemption and whether it was this call that released it. Raises NotFound.
    """
    return give_back(by_id(redemption_id), today)


@retried
def give_back(redemption: Redemption, today: date) -> tuple[Redemption, bool]:
    """Release a redemption of any realm, as `release` does."""
    with change():
        # The coupon first, as in a redemption, so that the two cannot lock each other out.
        coupon = _locked(redemption.coupon_id)
        released = bool(
            Redemption.update(state=RELEASED, released_at=clock.now(), invoice_slot=None)
            .where(Redemption.id == redemption.id, Redemption.state == USED)
            .execute()
        )
        if released:
            redemption = Redemption.get_by_id(redemption.id)  # it may have been told more meanwhile
            # The uses of one service were counted as one.
            last = not redemption.account_id or services.leave(
                redemption.coupon_id, redemption.account_id
            )
            if coupon and last:
                _lower(coupon, today)
            if coupon and last and redemption.batch_id != coupons.ALONE:
                batches.count_use(redemption.batch_id, redemption.coupon_id, -1)
                campaign_id = campaign_counts.campaign_of(redemption.batch_id)
                campaign_counts.count_use(
                    redemption.batch_id, campaign_id, redemption.coupon_id, -1
                )
            daily_sums.count(redemption, -1)
            code = redemption.code if redemption.realm == visibility.LEGACY else MASKED
            audit.note("released", "redemption", redemption.id, code)
            if redemption.campaign_id:
                players.add(redemption.campaign_id, redemption.user_id, redemption.points, -1)
            facts = partial(redemption_events.facts, redemption)
            events.tell(webhooks.RELEASED, redemption.realm, facts)
    return Redemption.get_by_id(redemption.id), released


def _locked(coupon_id: int) -> Coupon | None:
    """Return the coupon for this transaction alone to change, None when it was deleted."""
    try:
        return coupons.locked_by_id(coupon_id)
    except NotFound:
        return None


def _lower(coupon: Coupon, today: date) -> None:
    """Take one use off a coupon.

    One that was inactive as used up is active again, unless it is stopped or has expired.
    """
    terms = Terms.by_id(coupon.terms_id)
    again = terms.used_up(coupon.num_usage) and not (
        terms.used_up(coupon.num_usage - 1) or coupon.stopped or terms.expired(today)
    )
    Coupon.update(num_usage=Coupon.num_usage - 1, active=again or coupon.active).where(
        Coupon.id == coupon.id
    ).execute()
