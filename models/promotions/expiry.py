"""Deactivate codes once a day when their last day is over."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from peewee import CharField, DateField, chunked, fn

from models.promotions import coupon_life, event_facts
from models.promotions.batches import Batch
from models.promotions.campaign_counts import CampaignBatch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import clock, visibility
from models.store.base import Row, change, database, retried
from models.store.engine import Engine
from models.store.errors import AWAY, Busy
from models.webhooks import events
from models.webhooks.webhooks import EXPIRED

EXPIRY = "expiry"
RETRY_SECONDS = 60
BATCHES = 500
"""Batches that one statement changes."""
EARLIEST = date(2023, 1, 1)
"""A clock that shows an earlier day is wrong: promobridge did not exist then."""
AHEAD = timedelta(days=1)
"""How far the day of other processes may be ahead of ours: their clock or time zone is another."""
log = logging.getLogger(__name__)


class Sweep(Row):
    """Keep the day up to which a daily task has run."""

    id = None
    name = CharField(max_length=32, primary_key=True)
    day = DateField()


_swept: WeakKeyDictionary[Engine, date] = WeakKeyDictionary()
"""By engine, the day up to which this process knows that expiry has run."""
_retry_at: WeakKeyDictionary[Engine, float] = WeakKeyDictionary()


def expire_due(today: date) -> int:
    """Deactivate coupons that expired since the last run; return how many. Days are local.

    Cheap when it has been done today. A store that takes no writes is asked again after
    RETRY_SECONDS: a use of an expired code is refused in any case. A clock that is set back brings
    nothing back to life; what expires after that is due again.
    """
    engine = database.obj
    swept = _swept.get(engine)
    if today < EARLIEST or (swept is not None and today <= swept <= today + AHEAD):
        return 0
    if clock.elapsed() < _retry_at.get(engine, 0.0):
        return 0
    try:
        changed = _sweep(today)
    except (*AWAY, Busy) as problem:
        log.warning("Expired codes could not be made inactive: %s", type(problem).__name__)
        _retry_at[engine] = clock.elapsed() + RETRY_SECONDS
        return 0
    _swept[engine] = today
    return changed


@retried
def _sweep(today: date) -> int:
    last = Sweep.get_by_id(EXPIRY).day
    if last > today + AHEAD:  # a clock was ahead: no sweep would be due until then
        with change():
            ahead = Sweep.name == EXPIRY, Sweep.day > today + AHEAD
            Sweep.update(day=today).where(*ahead).execute()
    if last >= today:
        return 0
    with change():
        claimed = Sweep.update(day=today).where(Sweep.name == EXPIRY, Sweep.day < today).execute()
        return _expire(last, today) if claimed else 0


def _tell(which: Any, today: date) -> None:
    """Write an event for each batch of the codes that expire; a campaign's are told by its end."""
    if not events.is_wanted(EXPIRED, visibility.LEGACY):
        return
    counts: Any = (
        Coupon.select(Coupon.batch_id, Coupon.realm, fn.COUNT(Coupon.id))
        .where(*which, Coupon.batch_id.not_in(CampaignBatch.select(CampaignBatch.batch_id)))
        .group_by(Coupon.batch_id, Coupon.realm)
        .order_by(Coupon.batch_id)
    )
    for batch_id, realm, codes in counts.tuples():
        once = f"{EXPIRED}:{batch_id}:{today.isoformat()}"
        more = {"codes": codes, "expired_at": clock.now()}
        event_facts.tell_of_batch(EXPIRED, batch_id, realm, more, once)


def _expire(last: date, today: date) -> int:
    due = Terms.select(Terms.id).where(Terms.expires >= last, Terms.expires < today)
    if not due.exists():
        return 0
    which = (Coupon.terms.in_(due), Coupon.live.is_null(False), Coupon.active)
    of_them = coupon_life.lock(*which)
    _tell(which, today)
    changed = int(Coupon.update(active=False).where(*which).execute())
    for some in chunked(of_them, BATCHES):
        Batch.update(revision=Batch.revision + 1).where(Batch.id.in_(some)).execute()
    return changed
