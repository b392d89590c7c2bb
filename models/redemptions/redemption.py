"""Keep the uses of codes, and read one by its id."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, Case, CharField, DateField, IntegerField, SmallIntegerField, fn

from models.promotions import coupons
from models.store import visibility
from models.store.base import DecimalText, Row
from models.store.errors import NotFound
from models.store.prepared import Prepared, slot

USED, RELEASED = "used", "released"


class Redemption(Row):
    """Keep one use of a code, for good: a release changes its state, nothing deletes it.

    `invoice_slot` is the invoice while the use stands and NULL otherwise: the unique index with
    the coupon then allows one standing use for each coupon and invoice, on every engine.
    One standing use for each order is held under the lock of the coupon's row: an order may have
    several services, and an earlier version has counted each use on it.
    `day` is the day whose sum it is counted in.
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
    account_id = IntegerField(default=0)
    amount = DecimalText(null=True)
    setup_amount = DecimalText(null=True)
    discount = DecimalText(null=True)
    setup_discount = DecimalText(null=True)
    state = CharField(max_length=16, default=USED)
    api_id = CharField(max_length=128, default="")
    realm = SmallIntegerField(default=visibility.LEGACY)
    uuid = CharField(max_length=36, null=True, unique=True)
    campaign_id = IntegerField(default=0)
    user_id = CharField(max_length=255, default="")
    points = BigIntegerField(default=0)
    day = DateField(null=True)
    redeemed_at = BigIntegerField()
    released_at = BigIntegerField(null=True)

    class Meta:
        indexes = (
            (("coupon_id", "invoice_slot"), True),
            (("coupon_id", "order_id"), False),
            (("coupon_id", "client_id"), False),
            (("batch_id", "id"), False),
            (("client_id", "id"), False),
            (("invoice_id", "id"), False),
            (("order_id", "id"), False),
            (("user_id", "id"), False),
            (("code",), False),
            (("realm", "id"), False),
            (("redeemed_at",), False),
            (("released_at", "id"), False),
        )


def services_of(table: Any) -> Any:
    """Return how many uses rows of redemptions are: those of one service are one."""
    alone = fn.COUNT(Case(None, [(table.account_id == 0, 1)]))
    return alone + fn.COUNT(fn.DISTINCT(fn.NULLIF(table.account_id, 0)))


def by_id(redemption_id: int) -> Redemption:
    """Return a redemption that the legacy API sees. Raises NotFound."""
    redemption = Redemption.get_or_none(
        Redemption.id == redemption_id, Redemption.realm == visibility.LEGACY
    )
    if redemption is None:
        raise NotFound(f"There is no redemption {redemption_id}", "redemption_not_found")
    return redemption


def stands(redemption_id: int) -> bool:
    """Tell whether a use stands, of whichever realm: it was not released."""
    return _state.first(id=redemption_id) == (USED,)


def any_standing(batch_id: int) -> bool:
    """Tell whether a use of a code of the batch stands, be the code deleted or not."""
    standing = Redemption.select().where(Redemption.batch_id == batch_id, Redemption.state == USED)
    return bool(standing.exists())


_state = Prepared(lambda: Redemption.select(Redemption.state).where(Redemption.id == slot("id")))
