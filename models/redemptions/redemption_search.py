"""Find redemptions of both APIs, for operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from peewee import Expression, fn

from models.promotions.campaign_counts import Campaign, CampaignBatch
from models.redemptions.redemption import Redemption
from models.store.errors import NotFound

ABOVE_ALL = 2_147_483_648
"""No redemption has an id as high."""


def conditions(
    code: str | None = None,
    coupon_ids: Sequence[int] = (),
    campaign: Campaign | None = None,
    since: int | None = None,
    before: int | None = None,
    narrowed: bool = False,
    **columns: Any,
) -> list[Any]:
    """Return what redemptions must meet: `columns` have these values, None stands for any.

    A code is found as it was when it was used, and those of the coupons with these ids besides. The
    uses of a campaign are those of codes in its batches, in whichever API. The times are Unix
    seconds, `before` is not included. `narrowed` says that there are other conditions besides.
    """
    equal = columns.items()
    found = [getattr(Redemption, name) == value for name, value in equal if value is not None]
    if code is not None:
        mine = Redemption.coupon_id.in_(coupon_ids)
        names: Any = Redemption.select(Redemption.code).where(mine).distinct().tuples()
        # By the index of codes each slice comes in its order, however often the code was used.
        found.append(Redemption.code.in_({code, *(name for (name,) in names)}))
        found.append((Redemption.code == code) | mine)
    if campaign is not None:
        batches = CampaignBatch.select(CampaignBatch.batch_id)
        found.append(Redemption.batch_id.in_(batches.where(CampaignBatch.campaign == campaign)))
    moment: Any = Redemption.redeemed_at
    times = [] if since is None else [moment >= since]
    times += [] if before is None else [moment < before]
    return found + (times if found or narrowed or not times else _listed_between(times))


def _listed_between(times: list[Any]) -> list[Any]:
    """Return the conditions of times such that an engine goes by ids, in whose order rows are read.

    By the index of times it would sort all that lies between for each page.
    """
    ends: Any = Redemption.select(fn.MIN(Redemption.id), fn.MAX(Redemption.id))
    first, last = ends.where(*times).tuples().get()
    # Later uses have higher ids but where a clock was set back, so times are looked at too; the
    # sum is in no index.
    exact = [Expression(time.lhs + 0, time.op, time.rhs) for time in times]
    return [Redemption.id.between(first or 0, last or 0), *exact]


def slices(wanted: Sequence[Any], size: int, below: int = ABOVE_ALL) -> Iterator[list[Redemption]]:
    """Yield the redemptions that meet all conditions, newest first, in slices of one query each.

    Their ids are lower than `below`.
    """
    while True:
        query = Redemption.select().where(Redemption.id < below, *wanted)
        some = list(query.order_by(Redemption.id.desc()).limit(size))
        yield some
        if len(some) < size:
            return
        below = some[-1].id


def known(name: str) -> Redemption:
    """Return the redemption of either API with this id or UUID. Raises NotFound."""
    is_id = name.isascii() and name.isdecimal() and len(name) <= len(str(ABOVE_ALL))
    which = Redemption.id == int(name) if is_id else Redemption.uuid == name.lower()
    found: Redemption | None = Redemption.get_or_none(which)
    if found is None:
        raise NotFound(f"There is no redemption {name}", "redemption_not_found")
    return found
