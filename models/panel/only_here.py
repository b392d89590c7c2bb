"""What exists or was used only here, for whoever goes back to the panel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from peewee import JOIN

from models.panel.pending import APPLIED, SENT, PanelPending
from models.promotions.coupons import LEGACY, Coupon
from models.redemptions.redemption import USED, Redemption
from models.store import visibility

SLICE = 1000


class OnlyHere(NamedTuple):
    """Hold a code that was made here, or a use of one; times are Unix seconds, None unknown."""

    what: str
    id: int
    code: str
    client_id: int
    invoice_id: int
    order_id: int
    at: int | None


def counts() -> tuple[int, int]:
    """Return how many codes exist only here, and how many uses the panel does not know."""
    return _codes().count(), _uses().count()


def listed() -> Iterator[OnlyHere]:
    """Yield the codes that exist only here, then the uses that the panel does not know."""
    for coupon in _sliced(_codes(), Coupon.id):
        yield OnlyHere("code", coupon.id, coupon.code, 0, 0, 0, None)
    for use in _sliced(_uses(), Redemption.id):
        numbers = use.client_id, use.invoice_id, use.order_id
        yield OnlyHere("use", use.id, use.code, *numbers, use.redeemed_at)


def _codes() -> Any:
    # One whose id at the panel could not be read back is there all the same.
    there = PanelPending.select(PanelPending.coupon_id).where(
        PanelPending.call == "addpromocode",
        PanelPending.state.in_((SENT, APPLIED)),
        PanelPending.coupon_id.is_null(False),
    )
    return Coupon.select().where(LEGACY, Coupon.imported.is_null(), Coupon.id.not_in(there))


def _uses() -> Any:
    known = (PanelPending.redemption_id == Redemption.id) & PanelPending.state.in_((SENT, APPLIED))
    return (
        Redemption.select(Redemption)
        .join(PanelPending, JOIN.LEFT_OUTER, on=known)
        .where(
            Redemption.realm == visibility.LEGACY,
            Redemption.state == USED,
            PanelPending.id.is_null(),
        )
    )


def _sliced(query: Any, key: Any) -> Iterator[Any]:
    last = 0
    while rows := list(query.where(key > last).order_by(key).limit(SLICE)):
        yield from rows
        last = rows[-1].id
