"""Rules of use: every reason for which a use of a code is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store.errors import Conflict

CART, INVOICE, CAMPAIGN = "cart", "invoice", "campaign"
NEW, EXISTING = "new", "existing"
PLACES = {
    # guess: a flavor code is entered at order, as a cart code is.
    "cart": (CART,),
    "flavor": (CART,),
    "invoice": (INVOICE,),
    "invoice_cart": (CART, INVOICE),
}
REFUSALS = {
    "code_archived": "The promotion code is archived",
    "code_expired": "The promotion code has expired",
    "code_used_up": "The promotion code has been used as often as it may be",
    "code_inactive": "The promotion code is not active",
    "not_for_carts": "The promotion code is not for orders",
    "not_for_invoices": "The promotion code is not for invoices",
    "client_missing": "The promotion code needs a client_id to be used",
    "client_other": "The promotion code belongs to another client",
    "new_clients_only": "The promotion code is for new clients only",
    "existing_clients_only": "The promotion code is for existing clients only",
    "cart_too_small": "The cart is below the amount that the promotion code asks for",
    "client_used_up": "The client has used the promotion code as often as it may be",
    "busy": "The promotion code is being changed at this moment, try again",
}
"""Every refusal of a use: a stable key and its sentence, in the order they are looked for."""


class Refused(Conflict):
    """Say why a code cannot be used here: `key` is one of REFUSALS."""

    def __init__(self, key: str) -> None:
        super().__init__(REFUSALS[key], key)


@dataclass(frozen=True)
class Use:
    """Describe a use of a code.

    A campaign_id makes it a use by the user of a campaign, who gets the points, an invoice_id one
    on an invoice, otherwise it is one in a cart. `clients` is `new` or `existing`, or None to tell
    it from the rest. `today` is the day in the installation's time
    zone and `places` the decimals of its currency.
    """

    today: date
    places: int
    client_id: int = 0
    clients: str | None = None
    invoice_id: int = 0
    order_id: int = 0
    amount: Decimal | None = None
    setup_amount: Decimal | None = None
    api_id: str = ""
    campaign_id: int = 0
    user_id: str = ""
    points: int = 0

    @property
    def place(self) -> str:
        """Return where the code is used: `cart`, `invoice` or `campaign`."""
        if self.campaign_id:
            return CAMPAIGN
        return INVOICE if self.invoice_id else CART

    @property
    def client_kind(self) -> str:
        """Return whether the client is new or existing."""
        if self.clients:
            return self.clients
        # guess: an invoice or a client number exists only for an existing client.
        return EXISTING if self.invoice_id or self.client_id else NEW

    @property
    def cart(self) -> Decimal:
        """Return what the cart is worth; amounts that were not said count as nothing."""
        return (self.amount or Decimal(0)) + (self.setup_amount or Decimal(0))


def check(coupon: Coupon, terms: Terms, use: Use) -> None:
    """Raise Refused with the first reason why a coupon cannot be used so.

    What the client used before is not looked at: only the transaction of a use can tell.
    """
    for key, refused in _reasons(coupon, terms, use):
        if refused:
            raise Refused(key)


def _reasons(coupon: Coupon, terms: Terms, use: Use) -> Iterator[tuple[str, bool]]:
    yield "code_archived", not coupon.live
    yield "code_expired", terms.expired(use.today)
    yield "code_used_up", terms.used_up(coupon.num_usage)
    yield "code_inactive", not coupon.active
    if use.place == CAMPAIGN:
        # Users of a campaign are no clients, and their codes are for one use whatever terms say.
        yield "code_used_up", coupon.num_usage > 0
        return
    yield f"not_for_{use.place}s", use.place not in PLACES.get(terms.coupon_type, ())
    yield "client_missing", bool(terms.client_id or terms.max_client_usage) and not use.client_id
    yield "client_other", terms.client_id not in (0, use.client_id)
    yield "new_clients_only", terms.clients == NEW and use.client_kind != NEW
    yield "existing_clients_only", terms.clients == EXISTING and use.client_kind != EXISTING
    yield "cart_too_small", use.place == CART and use.cart < terms.min_cart_amount
