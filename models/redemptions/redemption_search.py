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
    **columns: Any,
) -> list[Any]:
    """Return what redemptions must meet: `columns` have these values, None stands for any.

    A code is found as it was when it was used, and those of the coupons with these ids besides. The
    uses of a campaign are those of codes in its batches, in whichever API. The times are Unix
    seconds, `before` is not included.
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
    wanted = times(since, before)
    if found or not wanted:
        return found + wanted
    return _span(since, before)


def used_batches(campaign: Campaign, most: int) -> list[int]:
    """Return the ids of the batches of a campaign whose codes were ever used, so many at most."""
    mine: Any = CampaignBatch.select(CampaignBatch.batch_id).where(
        CampaignBatch.campaign == campaign
    )
    used = fn.EXISTS(Redemption.select().where(Redemption.batch_id == CampaignBatch.batch_id))
    return [batch_id for (batch_id,) in mine.where(used).limit(most).tuples()]


def _span(since: int | None, before: int | None) -> list[Any]:
    """Return the conditions of times for slices in the order of ids, from the lowest id on.

    By the index of times an engine would sort all that lies between for each slice. A slice begins
    below an id; with a second bound on that side an engine may go by the wrong one.
    """
    wanted = times(since, before)
    first = Redemption.select(fn.MIN(Redemption.id)).where(*wanted).scalar()
    # Later uses have higher ids but where a clock was set back, so times are looked at too; the
    # sum is in no index.
    exact = [Expression(time.lhs + 0, time.op, time.rhs) for time in wanted]
    return [*exact, Redemption.id >= (first or 0)]


def times(since: int | None, before: int | None) -> list[Any]:
    """Return the conditions of times, for what other conditions leave few of."""
    moment: Any = Redemption.redeemed_at
    times = [] if since is None else [moment >= since]
    return times if before is None else [*times, moment < before]


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
