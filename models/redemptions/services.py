"""Services that codes were used for: the uses that stand of a code for one service are one."""

from __future__ import annotations

from peewee import BigIntegerField, IntegerField

from models.store.base import Row
from models.store.prepared import Prepared, slot


class ServiceUse(Row):
    """Keep how many uses of a coupon stand for one service, and when the first was made.

    A use and a release change this row, so that neither misses the other, on a cluster too.
    """

    coupon_id = IntegerField()
    account_id = IntegerField()
    standing = IntegerField(default=1)
    first_at = BigIntegerField()

    class Meta:
        indexes = ((("coupon_id", "account_id"), True),)


def first_use(coupon_id: int, account_id: int) -> int | None:
    """Return when the code was first used for the service, None when no use of it stands."""
    row = _first.first(coupon_id=coupon_id, account_id=account_id)
    return row[0] if row else None


def begin(coupon_id: int, account_id: int, moment: int) -> bool:
    """Write down the first use for a service; return False when one stands there already."""
    values = {"coupon_id": coupon_id, "account_id": account_id, "moment": moment}
    return bool(_again.changed(**values) or _insert.changed(**values))


def renew(coupon_id: int, account_id: int) -> bool:
    """Write down one more use for a service; return False when none stands there."""
    return bool(_raise.changed(coupon_id=coupon_id, account_id=account_id))


def leave(coupon_id: int, account_id: int) -> bool:
    """Take one use off a service; return whether it was the last that stood."""
    _lower.changed(coupon_id=coupon_id, account_id=account_id)
    return first_use(coupon_id, account_id) is None


_ONE = (
    ServiceUse.coupon_id == slot("coupon_id"),
    ServiceUse.account_id == slot("account_id"),
)
_STANDS = (*_ONE, ServiceUse.standing > 0)
_first = Prepared(lambda: ServiceUse.select(ServiceUse.first_at).where(*_STANDS))
_raise = Prepared(lambda: ServiceUse.update(standing=ServiceUse.standing + 1).where(*_STANDS))
_lower = Prepared(lambda: ServiceUse.update(standing=ServiceUse.standing - 1).where(*_STANDS))
_again = Prepared(
    lambda: ServiceUse.update(standing=1, first_at=slot("moment")).where(
        *_ONE, ServiceUse.standing == 0
    )
)
_insert = Prepared(
    lambda: (
        ServiceUse.insert(
            coupon_id=slot("coupon_id"),
            account_id=slot("account_id"),
            standing=1,
            first_at=slot("moment"),
        )
        .on_conflict_ignore()
        .as_rowcount()
    )
)
