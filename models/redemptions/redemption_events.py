"""What events tell of uses of codes, of both APIs."""

from __future__ import annotations

from models.promotions import event_facts
from models.redemptions import players
from models.redemptions.redemption import Redemption
from models.store.base import plain
from models.webhooks.events import Facts


def facts(redemption: Redemption) -> Facts:
    """Return what is told of a use, or of its release."""
    total = None
    if redemption.campaign_id:
        total = players.points(redemption.campaign_id, redemption.user_id)
    amounts = {
        name: None if value is None else plain(value)
        for name in ("amount", "discount", "setup_discount")
        for value in (getattr(redemption, name),)
    }
    return event_facts.of_batch(
        redemption.batch_id,
        redemption_id=redemption.id,
        redemption_uuid=redemption.uuid,
        coupon_id=redemption.coupon_id,
        code=redemption.code,
        client_id=redemption.client_id or None,
        invoice_id=redemption.invoice_id or None,
        order_id=redemption.order_id or None,
        account_id=redemption.account_id or None,
        user_id=redemption.user_id or None,
        points=redemption.points if redemption.campaign_id else None,
        total_points=total,
        redeemed_at=redemption.redeemed_at,
        released_at=redemption.released_at,
        **amounts,
    )
