"""Redemptions: the one operation that checks and counts a use of a code, and its undoing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from peewee import (
    BigIntegerField,
    Case,
    CharField,
    IntegerField,
    IntegrityError,
)

from models import batches, clock, coupons, money
from models.base import DecimalText, Row, change
from models.batches import Batch
from models.coupons import Coupon
from models.errors import Conflict, NotFound
from models.terms import Terms

USED, RELEASED = "used", "released"
CART, INVOICE = "cart", "invoice"
NEW, EXISTING = "new", "existing"
ATTEMPTS = 8
"""How often a use is tried again when the coupon is edited at the same moment."""

PLACES = {
    # guess: a flavor code is entered at order, as a cart code is.
    "cart": (CART,),
    "flavor": (CART,),
    "invoice": (INVOICE,),
    "invoice_cart": (CART, INVOICE),
}


class Redemption(Row):
    """Keep one use of a code, for good: a release changes its state, nothing deletes it.

    `invoice_slot` is the invoice while the use stands and NULL otherwise: the unique index with
    the coupon then allows one standing use for each coupon and invoice, on every engine.
    Amounts are None where the caller did not say them. Times are Unix seconds.
    """

    coupon_id = IntegerField()
    batch_id = IntegerField()
    code = CharField(max_length=coupons.CODE_LENGTH)
    client_id = IntegerField(default=0)
    invoice_id = IntegerField(default=0)
    invoice_slot = IntegerField(null=True)
    order_id = IntegerField(default=0)
    amount = DecimalText(null=True)
    setup_amount = DecimalText(null=True)
    discount = DecimalText(null=True)
    setup_discount = DecimalText(null=True)
    state = CharField(max_length=16, default=USED)
    api_id = CharField(max_length=128, default="")
    redeemed_at = BigIntegerField()
    released_at = BigIntegerField(null=True)

    class Meta:
        indexes = (
            (("coupon_id", "invoice_slot"), True),
            (("coupon_id", "client_id"), False),
            (("batch_id", "id"), False),
            (("client_id", "id"), False),
            (("invoice_id", "id"), False),
            (("redeemed_at",), False),
        )


class Refused(Conflict):
    """Say why a code cannot be used here: `key` is one of REFUSALS."""

    def __init__(self, key: str) -> None:
        super().__init__(REFUSALS[key], key)


REFUSALS = {
    "code_archived": "The promotion code is archived",
    "code_inactive": "The promotion code is not active",
    "code_expired": "The promotion code has expired",
    "code_used_up": "The promotion code has been used as often as it may be",
    "not_for_carts": "The promotion code is not for orders",
    "not_for_invoices": "The promotion code is not for invoices",
    "client_missing": "The promotion code needs a client_id to be used",
    "client_other": "The promotion code belongs to another client",
    "client_used_up": "The client has used the promotion code as often as it may be",
    "new_clients_only": "The promotion code is for new clients only",
    "existing_clients_only": "The promotion code is for existing clients only",
    "cart_too_small": "The cart is below the amount that the promotion code asks for",
    "busy": "The promotion code is being changed at this moment, try again",
}


@dataclass(frozen=True)
class Use:
    """Say how a code is to be used.

    An invoice_id makes it a use on an invoice, otherwise it is one in a cart. `clients` is `new`
    or `existing`, or None to tell it from the rest. `today` is the day in the installation's time
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

    @property
    def place(self) -> str:
        """Return where the code is used: `cart` or `invoice`."""
        return INVOICE if self.invoice_id else CART

    @property
    def client_kind(self) -> str:
        """Return whether the client is new or existing."""
        if self.clients:
            return self.clients
        # guess: an invoice or a client number exists only for an existing client.
        return EXISTING if self.invoice_id or self.client_id else NEW


def redeem(code: str, use: Use) -> Redemption:
    """Use a code once: check it, count it, and write it down in one transaction.

    The same coupon on the same invoice again returns the use that stands, uncounted.
    Raises NotFound, or Refused with the reason; nothing is changed then.
    """
    for _ in range(ATTEMPTS):
        coupon = coupons.by_code(code)
        standing = _standing(coupon, use.invoice_id)
        if standing is not None:
            return standing
        _check(coupon, use)
        try:
            with change():
                redemption = _count(coupon, use)
        except IntegrityError:
            continue  # the same coupon and invoice arrived twice at once
        if redemption is not None:
            return redemption
    raise Refused("busy")


def quote(code: str, use: Use) -> money.Discount | None:
    """Return what a code would take off now, None without an amount; change nothing.

    Raises NotFound, or Refused with the reason.
    """
    coupon = coupons.by_code(code)
    _check(coupon, use)
    return _discount(coupon.terms, use)


def release(redemption_id: int) -> tuple[Redemption, bool]:
    """Undo a use and give it back to the code, once; its row stays.

    Return the redemption and whether it was this call that released it. Raises NotFound.
    """
    redemption = by_id(redemption_id)
    with change() as transaction:
        # The coupon first, as in a redemption, so that the two cannot lock each other out.
        _give_back(redemption.coupon_id)
        released = (
            Redemption.update(state=RELEASED, released_at=clock.now(), invoice_slot=None)
            .where(Redemption.id == redemption_id, Redemption.state == USED)
            .execute()
        )
        if not released:
            transaction.rollback()
        elif redemption.batch_id != coupons.ALONE:
            batches.bump(redemption.batch_id, coupons_used=Batch.coupons_used - 1)
    return by_id(redemption_id), bool(released)


def by_id(redemption_id: int) -> Redemption:
    """Return a redemption. Raises NotFound."""
    redemption = Redemption.get_or_none(Redemption.id == redemption_id)
    if redemption is None:
        raise NotFound(f"There is no redemption {redemption_id}", "redemption_not_found")
    return redemption


def _standing(coupon: Coupon, invoice_id: int) -> Redemption | None:
    """Return the use of the coupon that stands on this invoice."""
    if not invoice_id:
        return None
    return Redemption.get_or_none(
        Redemption.coupon_id == coupon.id, Redemption.invoice_slot == invoice_id
    )


def _check(coupon: Coupon, use: Use) -> None:
    """Raise Refused with the first reason why the coupon cannot be used so."""
    for key, refused in _reasons(coupon, coupon.terms, use):
        if refused:
            raise Refused(key)


def _reasons(coupon: Coupon, terms: Terms, use: Use) -> Iterator[tuple[str, bool]]:
    yield "code_archived", not coupon.live
    yield "code_used_up", 0 < terms.max_usage <= coupon.num_usage
    yield "code_inactive", not coupon.active
    yield "code_expired", terms.expires is not None and terms.expires < use.today
    yield f"not_for_{use.place}s", use.place not in PLACES.get(terms.coupon_type, ())
    yield "client_missing", bool(terms.client_id or terms.max_client_usage) and not use.client_id
    yield "client_other", terms.client_id not in (0, use.client_id)
    yield "new_clients_only", terms.clients == NEW and use.client_kind != NEW
    yield "existing_clients_only", terms.clients == EXISTING and use.client_kind != EXISTING
    if use.place == CART:
        cart = (use.amount or Decimal(0)) + (use.setup_amount or Decimal(0))
        yield "cart_too_small", cart < terms.min_cart_amount
    yield "client_used_up", _client_used_up(coupon, terms, use)


def _client_used_up(coupon: Coupon, terms: Terms, use: Use) -> bool:
    """Tell whether the client has no use left."""
    if not terms.max_client_usage:
        return False
    mine = Redemption.select().where(
        Redemption.coupon_id == coupon.id,
        Redemption.client_id == use.client_id,
        Redemption.state == USED,
    )
    return mine.count() >= terms.max_client_usage


def _count(coupon: Coupon, use: Use) -> Redemption | None:
    """Count one use and write it down; None when the coupon changed since it was read."""
    terms = coupon.terms
    used = Coupon.num_usage + 1
    still = Case(None, [(used >= terms.max_usage, False)], Coupon.active)
    counted = (
        Coupon.update(num_usage=used, active=still if terms.max_usage else Coupon.active)
        .where(
            Coupon.id == coupon.id,
            Coupon.live.is_null(False),
            Coupon.active,
            Coupon.terms == terms.id,
            (Coupon.num_usage < terms.max_usage) if terms.max_usage else True,
        )
        .execute()
    )
    if not counted:
        return None
    # The row of the coupon is ours now, so no other use by this client can come between.
    if _client_used_up(coupon, terms, use):
        raise Refused("client_used_up")
    off = _discount(terms, use)
    redemption = Redemption.create(
        coupon_id=coupon.id,
        batch_id=coupon.batch_id,
        code=coupon.code,
        client_id=use.client_id,
        invoice_id=use.invoice_id,
        invoice_slot=use.invoice_id or None,
        order_id=use.order_id,
        amount=use.amount,
        setup_amount=use.setup_amount,
        discount=off and off.price,
        setup_discount=off and off.setup,
        api_id=use.api_id,
        redeemed_at=clock.now(),
    )
    if coupon.batch_id != coupons.ALONE:
        batches.bump(coupon.batch_id, coupons_used=Batch.coupons_used + 1)
    return redemption


def _discount(terms: Terms, use: Use) -> money.Discount | None:
    if use.amount is None and use.setup_amount is None:
        return None
    return money.discount(
        terms.type,
        terms.value,
        terms.applyto,
        use.amount or Decimal(0),
        use.setup_amount or Decimal(0),
        use.places,
    )


def _give_back(coupon_id: int) -> None:
    """Take one use off a coupon; one that was inactive as used up is active again."""
    coupon = Coupon.get_or_none(Coupon.id == coupon_id)
    if coupon is None:
        return  # the code was deleted, its history stays
    most = coupon.terms.max_usage
    again = Case(None, [(Coupon.num_usage >= most, True)], Coupon.active) if most else Coupon.active
    Coupon.update(num_usage=Coupon.num_usage - 1, active=again).where(
        Coupon.id == coupon_id
    ).execute()
