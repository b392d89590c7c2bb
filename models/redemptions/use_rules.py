"""Rules of use: every reason for which a use of a code is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from models.promotions.coupons import Coupon
from models.promotions.terms import HALF_KNOWN, Item, Restriction, Terms
from models.redemptions import money
from models.store import clock
from models.store.errors import Conflict

CART, INVOICE, CAMPAIGN = "cart", "invoice", "campaign"
NEW, EXISTING = "new", "existing"
RECURRING = "recurring"
DAY_SECONDS = 86_400
OWNER, CLIENT_USES, ITEMS, AMOUNT = "client", "client_uses", "items", "amount"
"""Facts that a use may leave unsaid though the terms ask for them."""
QUOTED = frozenset({CLIENT_USES, AMOUNT})
"""Those without which a quote is answered all the same."""
PLACES = {
    # guess: a flavor code is entered at order, as a cart code is.
    "cart": (CART,),
    "flavor": (CART,),
    "invoice": (INVOICE,),
    "invoice_cart": (CART, INVOICE),
}
REFUSALS = {
    "code_archived": "The promotion code is archived",
    "terms_unknown": "The limits and products of the promotion code are not known yet: "
    "`promobridge panel walk` reads them",
    "code_expired": "The promotion code has expired",
    "code_used_up": "The promotion code has been used as often as it may be",
    "code_inactive": "The promotion code is not active",
    "not_for_carts": "The promotion code is not for orders",
    "not_for_invoices": "The promotion code is not for invoices",
    "client_missing": "The promotion code needs a client_id to be used",
    "client_other": "The promotion code belongs to another client",
    "new_clients_only": "The promotion code is for new clients only",
    "existing_clients_only": "The promotion code is for existing clients only",
    "once_per_service": "The promotion code was used for this service before",
    "no_longer_discounted": "The promotion code does not discount this service any longer",
    "items_missing": "The promotion code is for some items only, say what is bought line by line",
    "not_for_these_items": "The promotion code is not for these items",
    "cart_too_small": "The cart is below the amount that the promotion code asks for",
    "client_used_up": "The client has used the promotion code as often as it may be",
    "busy": "The promotion code is being changed at this moment, try again",
}
"""Every refusal of a use: a stable key and its sentence, in the order they are looked for."""


class Refused(Conflict):
    """Say why a code cannot be used here: `key` is one of REFUSALS."""

    def __init__(self, key: str, detail: str = "") -> None:
        super().__init__(REFUSALS[key] + detail, key)


@dataclass(frozen=True)
class Use:
    """Describe a use of a code.

    A campaign_id makes it a use by the user of a campaign, who gets the points, an invoice_id one
    on an invoice, otherwise it is one in a cart. `clients` is `new` or `existing`, or None to tell
    it from the rest. `account_id` is the service that is paid for. `today` is the day in the
    installation's time zone and `places` the decimals of its currency.

    `items` are what is bought, empty when that was not said; `itemized` says that they have
    amounts of their own, else the amounts of the use are of all together. `unchecked` are the facts
    that need not be said.
    """

    today: date
    places: int
    client_id: int = 0
    clients: str | None = None
    invoice_id: int = 0
    order_id: int = 0
    account_id: int = 0
    amount: Decimal | None = None
    setup_amount: Decimal | None = None
    api_id: str = ""
    campaign_id: int = 0
    user_id: str = ""
    points: int = 0
    items: tuple[Item, ...] = ()
    itemized: bool = False
    unchecked: frozenset[str] = frozenset()

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


def check(coupon: Coupon, terms: Terms, use: Use, first_use: int | None = None) -> None:
    """Raise Refused with the first reason why a coupon cannot be used so.

    `first_use` is when the code was first used for the service, in Unix seconds, None when no use
    stands there. What the client used before is not looked at: only the transaction of a use can
    tell.
    """
    for key, refused in _reasons(coupon, terms, use, first_use):
        if refused:
            raise Refused(key)
    discounted(terms, use)


def renews(terms: Terms, first_use: int | None) -> bool:
    """Tell whether a use renews a service that the code discounts already."""
    return first_use is not None and terms.cycle == RECURRING


def unsaid(terms: Terms, use: Use) -> set[str]:
    """Return the facts that the terms ask for and the use does not say."""
    asked = {
        OWNER: terms.client_id and not use.client_id,
        CLIENT_USES: terms.max_client_usage and not use.client_id,
        ITEMS: Restriction.of(terms) and not use.items,
        AMOUNT: terms.min_cart_amount and use.amount is None and use.setup_amount is None,
    }
    return {fact for fact, missing in asked.items() if missing}


def missing_amount(terms: Terms, use: Use) -> Decimal:
    """Return what a cart lacks of the amount from which the code is offered; 0 where not known."""
    if use.amount is None and use.setup_amount is None:
        return Decimal(0)
    return max(Decimal(0), terms.prompt_cart_amount - use.cart)


def discounted(terms: Terms, use: Use) -> tuple[Decimal, Decimal] | None:
    """Return the price and setup fee of the items that the code is for, None where not known.

    Raises Refused when it is for none of them, or when what was said does not tell.
    """
    said = use.amount is not None or use.setup_amount is not None
    whole = (use.amount or Decimal(0), use.setup_amount or Decimal(0)) if said else None
    restriction = Restriction.of(terms)
    if not restriction or use.place == CAMPAIGN:
        return whole
    if not use.items and ITEMS in use.unchecked:
        return None
    fits = [restriction.admits(item) for item in use.items or (Item(),)]
    if None in fits or (any(fits) and not all(fits) and not use.itemized):
        raise Refused("items_missing", f" (it is for {restriction})")
    if not any(fits):
        raise Refused("not_for_these_items", f" (it is for {restriction})")
    if all(fits) or whole is None:
        return whole
    mine = [item for item, fit in zip(use.items, fits, strict=True) if fit]
    return (
        sum((item.amount or Decimal(0) for item in mine), Decimal(0)),
        sum((item.setup_amount or Decimal(0) for item in mine), Decimal(0)),
    )


def discount(terms: Terms, use: Use) -> money.Discount | None:
    """Return what the terms take off a use, None where it says no amounts; raise Refused."""
    amounts = discounted(terms, use)
    if amounts is None:
        return None
    return money.discount(terms.type, terms.value, terms.applyto, *amounts, use.places)


def _reasons(
    coupon: Coupon, terms: Terms, use: Use, first_use: int | None
) -> Iterator[tuple[str, bool]]:
    renewal = renews(terms, first_use)
    expired, used_up = terms.expired(use.today), terms.used_up(coupon.num_usage)
    yield "code_archived", not coupon.live
    yield "terms_unknown", HALF_KNOWN in terms.extra
    yield "code_expired", expired and not renewal
    yield "code_used_up", used_up and not renewal
    ended = renewal and (expired or used_up) and not coupon.stopped
    yield "code_inactive", not (coupon.active or ended)
    if use.place == CAMPAIGN:
        # Users of a campaign are no clients, and their codes are for one use whatever terms say.
        yield "code_used_up", coupon.num_usage > 0
        return
    if not renewal:
        yield f"not_for_{use.place}s", use.place not in PLACES.get(terms.coupon_type, ())
    missing = unsaid(terms, use) - use.unchecked
    if renewal:
        missing.discard(CLIENT_USES)
    yield "client_missing", bool({OWNER, CLIENT_USES} & missing)
    yield "client_other", terms.client_id not in (0, use.client_id) and bool(use.client_id)
    if renewal:
        ends = terms.increase_in_days * DAY_SECONDS
        yield "no_longer_discounted", bool(ends) and clock.now() - (first_use or 0) >= ends
        return
    yield "new_clients_only", terms.clients == NEW and use.client_kind != NEW
    yield "existing_clients_only", terms.clients == EXISTING and use.client_kind != EXISTING
    yield "once_per_service", first_use is not None
    if AMOUNT not in unsaid(terms, use) & use.unchecked:
        yield "cart_too_small", use.cart < terms.min_cart_amount
