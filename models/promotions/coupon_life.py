"""Edit, stop, archive and delete coupons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from peewee import Case, IntegrityError, Select

from models.promotions import batches, campaign_counts, coupons, event_facts
from models.promotions.batches import Batch
from models.promotions.coupons import ALONE, Coupon
from models.promotions.terms import REPEAT, Terms, marked
from models.store import audit, clock, counters, visibility
from models.store.base import change, database, locked, retried
from models.store.errors import Conflict
from models.store.texts import code_form

Revise = Callable[[Terms], Terms]
"""Makes new terms of those that are held; what it raises undoes the whole change."""


@retried
def edit(
    coupon_id: int,
    today: date,
    *,
    code: str | None = None,
    terms: Revise | None = None,
    live: bool | None = None,
    active: bool | None = None,
) -> Coupon:
    """Change one coupon, be it in a batch or alone; what is None stays. `today` is local.

    Raises NotFound, and Conflict when another live coupon has the code, when the batch of a coupon
    that is to be live is archived, or when a code that is to be active is used up or has expired.
    """
    try:
        with change():
            coupon = coupons.locked_by_id(coupon_id)
            before = _audited(coupon)
            was_live, was_active = coupon.live is not None, coupon.active
            if terms is not None:
                give_terms(Coupon.id == coupon_id, coupon.terms, terms(coupon.terms), today)
                coupon = coupons.by_id(coupon_id)
            if code is not None and code != coupon.code:
                coupon.code, coupon.form = code, code_form(code)
            if live is not None:
                _set_live(coupon, live, today)
            if active is not None:
                _set_active(coupon, active, today)
            coupon.save(only=["code", "form", "terms", "live", "active", "stopped", "shelved"])
            audit.note("edited", "code", coupon_id, coupon.code, before, _audited(coupon))
            if was_live and was_active and False in (live, active):
                event_facts.tell_revoked(coupon, "archived" if live is False else "stopped")
            if coupon.batch_id != ALONE:
                batches.bump(coupon.batch_id, updated_at=clock.now())
                campaign_counts.recount(coupon.batch_id)
    except IntegrityError as problem:
        raise coupons.taken(coupons.spelled(coupon.code)) from problem
    return coupon


@retried
def delete(coupon_id: int) -> Coupon:
    """Delete a coupon; the rows of its uses stay. Raises NotFound."""
    with change():
        coupon = coupons.locked_by_id(coupon_id)
        coupon.delete_instance()
        audit.note("deleted", "code", coupon_id, coupon.code, before={"uses": coupon.num_usage})
        event_facts.tell_revoked(coupon, "deleted")
        counters.add(counters.COUPONS, -1)
        if coupon.batch_id == ALONE:
            counters.add(counters.SINGLE_COUPONS, -1)
        else:
            # One less is wanted too, or a generation that goes on would make up for it. Coupons
            # that came with no list of their batch were never counted as made.
            made = Batch.made > 0
            batches.bump(
                coupon.batch_id,
                made=Case(None, [(made, Batch.made - 1)], Batch.made),
                requested=Case(None, [(made, Batch.requested - 1)], Batch.requested),
                coupons_count=Batch.coupons_count - 1,
                coupons_used=Batch.coupons_used - coupon.num_usage,
                codes_used=Batch.codes_used - (coupon.num_usage > 0),
                updated_at=clock.now(),
            )
            batches.end_at_zero(coupon.batch_id)
            campaign_counts.recount(coupon.batch_id)
    return coupon


def _audited(coupon: Coupon) -> dict[str, Any]:
    """Return what the audit tells of a code before and after a change."""
    own = {"code": coupon.code, "live": coupon.live is not None, "active": coupon.active}
    return Terms.by_id(coupon.terms_id).content() | own


def with_known_terms(terms: Terms) -> Terms:
    """Return the terms as what is known of a code by the word of an operator: a Revise."""
    return Terms.of(**marked(terms.content(), half_known=False))


def lock(*which: Any) -> list[int]:
    """Lock coupons for this transaction; return the ids of their batches.

    A use of a code takes first its coupon and then its batch. Who wants many of both must do so
    too, or one of them is in the other's way until the engine ends the longer one.
    """
    rows = locked(Coupon.select(Coupon.batch_id).where(*which).order_by(Coupon.id)).alias("locked")
    ids = Select([rows], [rows.c.batch_id]).distinct().tuples().execute(database)
    return [batch_id for (batch_id,) in ids]


def give_terms(which: Any, old: Terms, new: Terms, today: date) -> None:
    """Give new terms to those of the coupons that carry the old ones, in one statement.

    A code that they end is inactive; one that only the old terms ended is active again.
    """
    Coupon.update(terms=new.id, active=_active(old, new, today)).where(
        which, Coupon.terms == old.id
    ).execute()


def _active(old: Terms, new: Terms, today: date) -> Any:
    cases: list[tuple[Any, bool]] = []
    if new.expired(today):
        return False
    if new.max_usage:
        cases.append((Coupon.num_usage >= new.max_usage, False))
    if old.expired(today):
        cases.append((Coupon.stopped.is_null(), True))
    elif old.max_usage:
        cases.append((Coupon.stopped.is_null() & (Coupon.num_usage >= old.max_usage), True))
    return Case(None, cases, Coupon.active) if cases else Coupon.active


def _ended(coupon: Coupon, today: date) -> bool:
    return coupon.terms.expired(today) or coupon.terms.used_up(coupon.num_usage)


def _set_live(coupon: Coupon, live: bool, today: date) -> None:
    if REPEAT in coupon.terms.extra:
        # What was shown as live without being so is now shown as what it is.
        coupon.terms = Terms.of(**marked(coupon.terms.content(), repeat=False))
    if live and not coupon.live:
        if coupon.batch_id != ALONE and not batches.by_id(coupon.batch_id).live:
            raise Conflict("The batch of the promotion code is archived", "batch_archived")
        coupon.active = coupon.active and not _ended(coupon, today)
    coupon.live = visibility.environment(coupon.realm) if live else None
    coupon.shelved = None if live else True


def _set_active(coupon: Coupon, active: bool, today: date) -> None:
    if active and _ended(coupon, today):
        raise Conflict(
            "The promotion code cannot be active: it is used up or has expired", "code_ended"
        )
    coupon.active = active
    coupon.stopped = None if active else True
