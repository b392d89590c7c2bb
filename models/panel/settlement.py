"""End a write that was sent to the panel: it is confirmed here, or undone."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

from models.imports.report import CODE
from models.panel import pending, renumbering
from models.panel.pending import APPLIED, REFUSED, SENT, UNKNOWN, PanelPending
from models.promotions import coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions, releases
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.base import change, database, retried
from models.store.errors import Conflict, NotFound, PromoError

OF_COUPON = ("code", "terms_id", "live", "stopped", "shelved")
"""What a change of a coupon may change, and its undoing gives back."""


def settle(
    pending_id: int, applied: bool, today: date, places: int = 2, panel_id: int | None = None
) -> PanelPending:
    """End a call whose outcome is unknown, by an operator's word. Raises NotFound and Conflict."""
    row = PanelPending.get_or_none(PanelPending.id == pending_id)
    if row is not None and row.outcome == SENT:
        left = row.deadline - clock.now()
        raise Conflict(f"The panel may still answer call {pending_id}: wait {left} seconds")
    if row is not None and row.outcome != UNKNOWN:
        raise Conflict(f"Call {pending_id} has ended: {row.outcome}")
    return ended(pending_id, applied, today, places, panel_id)


@retried
def ended(
    pending_id: int,
    applied: bool,
    today: date,
    places: int = 2,
    panel_id: int | None = None,
    forget: bool = False,
) -> PanelPending:
    """End a call as the panel answered it; one that has ended so stays as it is.

    A use that the panel has counted is recorded here whatever the limits are here, and a code that
    it has made gets its `panel_id`. What `forget` says leaves no row. Raises NotFound.
    """
    with change():
        row = pending.locked_by_id(pending_id)
        if row.state == SENT or (row.state == REFUSED and applied):
            if applied:
                _confirm(row, today, places)
                _give_id(row, panel_id)
            else:
                _undo(row, today)
            row.state, row.digest = APPLIED if applied else REFUSED, None
            row.ended_at = clock.now()
            row.save()
            if forget:
                row.delete_instance()
    return row


def state_of(coupon: Coupon) -> dict[str, Any]:
    """Return what of a coupon a change may change, for `before` and `after`."""
    return {name: getattr(coupon, name) for name in OF_COUPON}


def _confirm(row: PanelPending, today: date, places: int) -> None:
    """Record a use that the panel has counted and that is not recorded here."""
    if not row.invoice_id or (row.state == SENT and row.redemption_id):
        return
    try:
        coupon = coupons.by_id(row.coupon_id) if row.coupon_id else coupons.by_code_or_id(row.code)
        use = Use(
            today, places, client_id=row.client_id, invoice_id=row.invoice_id, api_id=row.api_id
        )
        row.redemption_id = redemptions.record(coupon, use).id
        row.coupon_id = coupon.id
    except NotFound:
        return  # a walk brings it, with this use in its count


def _give_id(row: PanelPending, panel_id: int | None) -> None:
    """Give a code that was made here the id that it has at the panel, if none has it here."""
    old = row.coupon_id
    if not (panel_id and old and row.reserved and row.state == SENT) or panel_id == old:
        return
    if Coupon.select().where(Coupon.id == panel_id).exists():
        return  # the next walk names it
    database.reserve_ids("coupon", panel_id)
    renumbering.renumber(CODE, {old: panel_id})
    Coupon.update(imported=True).where(Coupon.id == panel_id).execute()
    row.coupon_id = panel_id


def _undo(row: PanelPending, today: date) -> None:
    if not row.reserved:
        return
    coupon_id: Any = row.coupon_id
    if row.redemption_id:
        releases.give_back(Redemption.get_by_id(row.redemption_id), today)
    elif row.before is None:
        with suppress(NotFound):  # somebody has deleted it already
            coupon_life.delete(coupon_id)
    else:
        _restore(coupon_id, row, today)


def _restore(coupon_id: int, row: PanelPending, today: date) -> None:
    """Give a coupon back what it was, unless it was changed again or is gone."""
    try:
        coupon = coupons.locked_by_id(coupon_id)
        if state_of(coupon) != row.after:
            return
        before = row.before
        with change():
            coupon_life.edit(
                coupon.id,
                today,
                code=before["code"],
                terms=lambda held: Terms.by_id(before["terms_id"]),
                live=None if coupon.live == before["live"] else before["live"] is not None,
            )
        Coupon.update(stopped=before["stopped"], shelved=before["shelved"]).where(
            Coupon.id == coupon.id
        ).execute()
    except PromoError:
        return  # deleted, or what it was cannot be any more: the difference is told
