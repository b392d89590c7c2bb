"""Redemptions: the one operation that checks and counts a use of a code, and its undoing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from peewee import (
    BigIntegerField,
    Case,
    CharField,
    IntegerField,
    IntegrityError,
    SmallIntegerField,
    fn,
)

from models import batches, campaign_batches, clock, coupons, money, players, realms, uses
from models.base import DecimalText, Row, change, retried
from models.coupons import Coupon
from models.errors import NotFound
from models.prepared import Prepared, slot
from models.terms import Terms
from models.uses import Refused, Use

USED, RELEASED = "used", "released"
UNLIMITED = 2**31 - 1
"""Stands for no limit: the largest number of uses that a row can hold."""
ATTEMPTS = 8
"""How often a use is tried again when the coupon is edited at the same moment."""


class Redemption(Row):
    """Keep one use of a code, for good: a release changes its state, nothing deletes it.

    `invoice_slot` is the invoice while the use stands and NULL otherwise: the unique index with
    the coupon then allows one standing use for each coupon and invoice, on every engine.
    Amounts are None where the caller did not say them. Times are Unix seconds. The `uuid`, the
    campaign, its user and the points are those of a use in a campaign.
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
    realm = SmallIntegerField(default=realms.LEGACY)
    uuid = CharField(max_length=36, null=True, unique=True)
    campaign_id = IntegerField(default=0)
    user_id = CharField(max_length=255, default="")
    points = BigIntegerField(default=0)
    redeemed_at = BigIntegerField()
    released_at = BigIntegerField(null=True)

    class Meta:
        indexes = (
            (("coupon_id", "invoice_slot"), True),
            (("coupon_id", "client_id"), False),
            (("batch_id", "id"), False),
            (("client_id", "id"), False),
            (("invoice_id", "id"), False),
            (("code",), False),
            (("realm", "id"), False),
            (("redeemed_at",), False),
        )


@retried
def redeem(coupon: Coupon, use: Use) -> tuple[Redemption, bool]:
    """Use a code once: check it, count it, and write it down in one transaction.

    Return the redemption and whether it was this call that made it: the same coupon on the same
    invoice again finds the use that stands, uncounted. Raises Refused with the reason, or NotFound
    when the coupon is deleted meanwhile; nothing is changed then.
    """
    for _ in range(ATTEMPTS):
        terms = Terms.numbered(coupon.terms_id)
        redemption = None
        try:
            uses.check(coupon, terms, use)
            with change():
                redemption = _count(coupon, terms, use)
        except (Refused, IntegrityError) as problem:
            # A use that stands on the invoice always ends here: the others need not ask for it.
            standing = _standing(coupon, use.invoice_id)
            if standing is not None:
                return standing, False
            if isinstance(problem, Refused):
                raise
        if redemption is not None:
            return redemption, True
        coupon = coupons.current(coupon)
    raise Refused("busy")


def quote(coupon: Coupon, use: Use) -> money.Discount | None:
    """Return what a code would take off now, None without an amount; change nothing.

    Raises Refused with the reason.
    """
    terms = Terms.numbered(coupon.terms_id)
    uses.check(coupon, terms, use)
    if _client_used_up(coupon, terms, use):
        raise Refused("client_used_up")
    return _discount(terms, use)


def release(redemption_id: int, today: date) -> tuple[Redemption, bool]:
    """Undo a use and give it back to the code, once; its row stays.

    Return the redemption and whether it was this call that released it. Raises NotFound.
    """
    return give_back(by_id(redemption_id), today)


@retried
def give_back(redemption: Redemption, today: date) -> tuple[Redemption, bool]:
    """Do what `release` does for a redemption of any realm."""
    redemption_id = redemption.id
    with change() as transaction:
        # The coupon first, as in a redemption, so that the two cannot lock each other out.
        given_back = _lower(redemption.coupon_id, today)
        released = bool(_release.changed(id=redemption_id, now=clock.now()))
        if not released:
            transaction.rollback()
        else:
            if given_back and redemption.batch_id != coupons.ALONE:
                batches.count_use(redemption.batch_id, -1)
                campaign_batches.count_use(redemption.batch_id, redemption.coupon_id, -1)
            if redemption.campaign_id:
                players.add(redemption.campaign_id, redemption.user_id, -redemption.points)
    return Redemption.of_row(_by_id.rows(id=redemption_id)[0]), released


def by_id(redemption_id: int) -> Redemption:
    """Return a redemption that the legacy dialect sees. Raises NotFound."""
    row = _by_id.first(id=redemption_id)
    redemption = Redemption.of_row(row) if row else None
    if redemption is None or redemption.realm != realms.LEGACY:
        raise NotFound(f"There is no redemption {redemption_id}", "redemption_not_found")
    return redemption


def any_standing(batch_id: int) -> bool:
    """Tell whether a use of a code of the batch stands, be the code deleted or not."""
    standing = Redemption.select().where(Redemption.batch_id == batch_id, Redemption.state == USED)
    return bool(standing.exists())


def _standing(coupon: Coupon, invoice_id: int) -> Redemption | None:
    """Return the use of the coupon that stands on this invoice."""
    if not invoice_id:
        return None
    row = _on_invoice.first(coupon_id=coupon.id, invoice_id=invoice_id)
    return Redemption.of_row(row) if row else None


def _client_used_up(coupon: Coupon, terms: Terms, use: Use) -> bool:
    """Tell whether the client has no use left."""
    if not terms.max_client_usage:
        return False
    (mine,) = _of_client.rows(coupon_id=coupon.id, client_id=use.client_id)[0]
    return bool(mine >= terms.max_client_usage)


def _count(coupon: Coupon, terms: Terms, use: Use) -> Redemption | None:
    """Count one use and write it down; None when the coupon changed since it was read."""
    most = terms.max_usage or UNLIMITED
    counted = _use.changed(
        id=coupon.id, terms=terms.id, most=most, below=1 if use.campaign_id else most
    )
    if not counted:
        return None
    # The row of the coupon is ours now, so no other use by this client can come between.
    if not use.campaign_id and _client_used_up(coupon, terms, use):
        raise Refused("client_used_up")
    off = _discount(terms, use)
    redemption = Redemption(
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
        realm=coupon.realm,
        uuid=clock.random_uuid() if use.campaign_id else None,
        campaign_id=use.campaign_id,
        user_id=use.user_id,
        points=use.points,
        redeemed_at=clock.now(),
    )
    redemption.id = _insert.added(**redemption.cells())
    if coupon.batch_id != coupons.ALONE:
        batches.count_use(coupon.batch_id, 1)
        campaign_batches.count_use(coupon.batch_id, coupon.id, 1)
    if use.campaign_id:
        players.add(use.campaign_id, use.user_id, use.points)
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


def _lower(coupon_id: int, today: date) -> bool:
    """Take one use off a coupon; False when it was deleted, its history alone being left.

    One that was inactive as used up is active again, unless it is stopped or has expired.
    """
    try:
        coupon = coupons.held(coupon_id)
    except NotFound:
        return False
    terms = Terms.numbered(coupon.terms_id)
    again = terms.used_up(coupon.num_usage) and not (
        terms.used_up(coupon.num_usage - 1) or coupon.stopped or terms.expired(today)
    )
    _unuse.changed(id=coupon_id, active=again or coupon.active)
    return True


_use = Prepared(
    lambda: Coupon.update(
        num_usage=Coupon.num_usage + 1,
        active=Case(None, [(Coupon.num_usage + 1 >= slot("most"), False)], Coupon.active),
    ).where(
        Coupon.id == slot("id"),
        Coupon.live.is_null(False),
        Coupon.active,
        Coupon.terms == slot("terms"),
        Coupon.num_usage < slot("below"),
    )
)
_unuse = Prepared(
    lambda: Coupon.update(num_usage=Coupon.num_usage - 1, active=slot("active")).where(
        Coupon.id == slot("id")
    )
)
_insert = Prepared(
    lambda: Redemption.insert(
        {field.name: slot(field.name) for field in Redemption._meta.sorted_fields[1:]}
    )
)
_release = Prepared(
    lambda: Redemption.update(state=RELEASED, released_at=slot("now"), invoice_slot=None).where(
        Redemption.id == slot("id"), Redemption.state == USED
    )
)
_by_id = Prepared(lambda: Redemption.select().where(Redemption.id == slot("id")))
_on_invoice = Prepared(
    lambda: Redemption.select().where(
        Redemption.coupon_id == slot("coupon_id"), Redemption.invoice_slot == slot("invoice_id")
    )
)
_of_client = Prepared(
    lambda: Redemption.select(fn.COUNT(Redemption.id)).where(
        Redemption.coupon_id == slot("coupon_id"),
        Redemption.client_id == slot("client_id"),
        Redemption.state == USED,
    )
)
