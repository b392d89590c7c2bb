"""Make, grow, edit and archive batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, tzinfo
from typing import Any

from peewee import IntegrityError

from models.promotions import (
    batches,
    campaign_counts,
    coupon_life,
    coupons,
    event_facts,
    generation,
)
from models.promotions.batches import Batch
from models.promotions.coupon_life import Revise, give_terms
from models.promotions.coupons import Coupon
from models.promotions.terms import REPEAT, Terms, marked
from models.store import audit, clock, visibility
from models.store.base import change, database, retried
from models.store.errors import Conflict, Invalid
from models.webhooks.webhooks import BATCH_ARCHIVED, BATCH_CREATED

Reconfigure = Callable[[Any, Terms, Terms], Any]
"""Updates an imported configuration after a change of terms: (config, old, new)."""
Check = Callable[[Batch], None]
"""Raises when a batch, which is held for the transaction, is not to be changed."""


@retried
def start(name: str, terms: Terms, size: int, **fields: Any) -> Batch:
    """Make a batch that still has no codes. Raises Invalid when no ids are left."""
    with change():
        batch = batches.add(name, terms, requested=size, **fields)
        event_facts.tell_of_batch(BATCH_CREATED, batch.id, batch.realm, {"codes": size})
    return batch


@retried
def make(name: str, terms: Terms, size: int, **fields: Any) -> Batch:
    """Make a batch with all its codes in one transaction."""
    with change():
        batch = start(name, terms, size, **fields)
        generation.fill(batch, chunk=size)
    return batches.by_id(batch.id)


@retried
def grow(batch_id: int, size: int, today: date) -> Batch:
    """Make `size` more codes in a batch, all or none. Raises what `request_more` does."""
    with change():
        generation.fill(request_more(batch_id, size, today), chunk=size)
    return batches.by_id(batch_id)


@retried
def request_more(batch_id: int, size: int, today: date, dense: bool = False) -> Batch:
    """Let a batch want `size` more codes, for `generation.fill` to make. `today` is local.

    Raises NotFound, Invalid when the codes of the batch leave too little room, and Conflict for a
    batch that is archived, has expired or is still being made.
    """
    with change():
        batch = lock_open(batch_id, today)
        if not batch.complete:
            raise Conflict("The batch is still being made", "batch_unfinished")
        # A dense one is checked against the codes that there are, its own among them.
        wanted = size if dense else batch.made + size
        generation.check_room(batch.prefix, batch.complexity, batch.length, wanted, dense)
        Batch.update(requested=Batch.requested + size).where(Batch.id == batch_id).execute()
        sizes = {"codes": batch.requested}, {"codes": batch.requested + size}
        audit.note("grown", "batch", batch_id, batch.name, *sizes)
    return batches.by_id(batch_id)


@retried
def edit(
    batch_id: int,
    today: date,
    *,
    zone: tzinfo = UTC,
    terms: Revise | None = None,
    config: Reconfigure | None = None,
    live: bool | None = None,
    check: Check | None = None,
    **fields: Any,
) -> Batch:
    """Change a batch; what is None or not given stays. `today` is local to the zone.

    New terms go to the batch and to those of its coupons that carry the old ones. `config` is
    asked when they change and the batch was imported with a configuration. A batch that is
    archived archives its coupons, and one that is made live again takes them along, all but those
    that were archived alone. `fields` are its `name`, `notes` and `prefix`. `check` is asked before
    anything is changed, with the batch held. Raises NotFound, Invalid for a prefix that is too
    long, Conflict when a code is live elsewhere by now.
    """
    try:
        with change():
            batch = lock_with_coupons(batch_id)
            if check is not None:
                check(batch)
            before, last_day = _audited(batch), batch.terms.expires
            if terms is not None:
                fields |= _give_terms(batch, terms(batch.terms), config, today)
            if live is not None and live != batch.live:
                _make_live(batch_id, today) if live else _archive(batch_id)
                fields["live"] = live
                campaign_counts.recount(batch_id)
            if fields:
                Batch.update(**fields).where(Batch.id == batch_id).execute()
            batch = batches.by_id(batch_id)
            if batch.terms.expires != last_day:
                campaign_counts.end_after(batch_id, batch.terms.expires, zone)
            if len(batch.prefix) + batch.length > coupons.CODE_LENGTH:
                raise Invalid(
                    f"Codes have {coupons.CODE_LENGTH} characters at most, and {batch.length} of "
                    "them are drawn: the prefix is too long"
                )
            action = {False: "archived", True: "made active"}.get(fields.get("live", ...), "edited")
            audit.note(action, "batch", batch_id, batch.name, before, _audited(batch))
            if action == "archived":
                more = {"codes": batch.coupons_count, "how": action}
                event_facts.tell_of_batch(BATCH_ARCHIVED, batch_id, batch.realm, more)
    except IntegrityError as problem:
        codes = Coupon.alias()
        own = codes.batch_id == batch_id
        raise coupons.taken(
            Coupon.code.in_(codes.select(codes.code).where(own))
            | Coupon.form.in_(codes.select(codes.form).where(own)),
            "The batch cannot be active again: one of its codes is live elsewhere",
        ) from problem
    return batch


def _audited(batch: Batch) -> dict[str, Any]:
    """Return what the audit tells of a batch before and after a change."""
    own = {name: getattr(batch, name) for name in ("name", "prefix", "notes", "live")}
    return batch.terms.content() | own


def lock_open(batch_id: int, today: date) -> Batch:
    """Lock a batch that takes more codes, and return it.

    Raises NotFound, and Conflict for one that is archived or has expired.
    """
    batch = _lock(batch_id)
    if not batch.live:
        raise Conflict("The batch is archived", "batch_archived")
    if batch.terms.expired(today):
        raise Conflict("The batch has expired", "batch_expired")
    return batch


def lock_with_coupons(batch_id: int) -> Batch:
    """Lock the batch and its coupons; return the batch. Raises NotFound."""
    if database.for_update:
        coupon_life.lock(Coupon.batch_id == batch_id)
    return _lock(batch_id)


def _lock(batch_id: int) -> Batch:
    """Lock a batch for this transaction and return it. Raises NotFound."""
    # A change comes first: on every engine it holds the row.
    batches.bump(batch_id, updated_at=clock.now())
    return batches.by_id(batch_id)


def _give_terms(
    batch: Batch, new: Terms, config: Reconfigure | None, today: date
) -> dict[str, Any]:
    """Give new terms to the coupons; return what changes in the batch itself."""
    old = batch.terms
    if new.id == old.id:
        return {}
    give_terms(Coupon.batch_id == batch.id, old, new, today)
    if config is None or batch.config is None:
        return {"terms": new.id}
    return {"terms": new.id, "config": config(batch.config, old, new)}


def _archive(batch_id: int) -> None:
    here = Coupon.batch_id == batch_id
    hidden = (here, Coupon.live.is_null())
    # What is archived already was so on its own, also where an import brought it.
    Coupon.update(shelved=True).where(*hidden).execute()
    for terms in Terms.select().where(
        Terms.id.in_(Coupon.select(Coupon.terms).where(*hidden).distinct())
    ):
        if REPEAT in terms.extra:  # it was shown as live without being so
            plain = Terms.of(**marked(terms.content(), repeat=False))
            Coupon.update(terms=plain.id).where(*hidden, Coupon.terms == terms.id).execute()
    Coupon.update(live=None, shelved=None).where(here, Coupon.live.is_null(False)).execute()


def _make_live(batch_id: int, today: date) -> None:
    here = Coupon.batch_id == batch_id
    Coupon.update(live=visibility.LIVE).where(
        here, Coupon.live.is_null(), Coupon.shelved.is_null()
    ).execute()
    over = Terms.select(Terms.id).where(Terms.expires < today)
    Coupon.update(active=False).where(here, Coupon.active, Coupon.terms.in_(over)).execute()
