"""Redeem a code: check the use, count it and record it in one transaction."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from peewee import Case, IntegrityError

from models.promotions import batches, campaign_counts, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import UNLIMITED, Terms
from models.redemptions import (
    daily_sums,
    players,
    redemption_events,
    sales,
    services,
    use_rules,
)
from models.redemptions.money import Discount
from models.redemptions.redemption import USED, Redemption, services_of
from models.redemptions.use_rules import Refused, Use
from models.store import clock
from models.store.base import change, locked, retried
from models.store.group_commit import run_in_group
from models.store.prepared import Prepared, slot
from models.webhooks import events
from models.webhooks.webhooks import REDEEMED

ATTEMPTS = 8
"""How often a use is tried again when the coupon is edited at the same moment."""
_OF_USE = [each.name for each in fields(Use) if each.name in Redemption._meta.fields]
"""What a redemption records of its use as it is."""


@retried
def redeem(coupon: Coupon, use: Use) -> tuple[Redemption, bool]:
    """Redeem a code: check it, count the use and record it in one transaction.

    Return the redemption and whether it was this call that made it: the same coupon on the same
    invoice or order again finds the use that stands, uncounted, and tells it what it did not know.
    Raises Refused with the reason, or NotFound when the coupon is deleted meanwhile; nothing is
    changed then.
    """
    for _ in range(ATTEMPTS):
        terms = Terms.by_id(coupon.terms_id)
        counted = False
        try:
            first_use = _first_use(coupon, use)
            use_rules.check(coupon, terms, use, first_use)
            # Before the transaction: on SQLite all other uses wait for its end.
            redemption = _drafted(coupon, terms, use)
            cells = redemption.cells()
            campaign_id = None
            if coupon.batch_id != coupons.ALONE:
                campaign_id = campaign_counts.campaign_of(coupon.batch_id)
            work = (
                partial(_renew, coupon, redemption, cells)
                if use_rules.renews(terms, first_use)
                else partial(_count, coupon, terms, redemption, cells, campaign_id)
            )
            counted = run_in_group(work)
        except (Refused, IntegrityError) as problem:
            # A use that stands on the sale always ends here: the others need not ask for it.
            standing = sales.told_more(coupon, terms, use)
            if standing is not None:
                return standing, False
            final = isinstance(problem, Refused) and problem.key != "busy"
            if final and not _given_back(coupon, use):
                # Released and used again since it was looked for: the count is what it was.
                standing = sales.told_more(coupon, terms, use)
                if standing is not None:
                    return standing, False
                raise
        if counted:
            return redemption, True
        coupon = coupons.current(coupon)
    raise Refused("busy")


@retried
def record(coupon: Coupon, use: Use) -> Redemption:
    """Count and record a use that another installation has granted, whatever the limits here.

    Return the one that stands on the same invoice or order, if there is one. Raises NotFound.
    """
    with change():
        coupon = coupons.locked_by_id(coupon.id)
        terms = Terms.by_id(coupon.terms_id)
        standing = sales.told_more(coupon, terms, use)
        if standing is not None:
            return standing
        redemption = _recorded(coupon, use)
        redemption.redeemed_at = clock.now()
        redemption.save()
        daily_sums.count(redemption, 1)
        _tell(redemption)
        ended = terms.used_up(coupon.num_usage + 1)
        Coupon.update(
            num_usage=Coupon.num_usage + 1, active=False if ended else Coupon.active
        ).where(Coupon.id == coupon.id).execute()
        if coupon.batch_id != coupons.ALONE:
            batches.count_use(coupon.batch_id, coupon.id, 1)
            campaign_id = campaign_counts.campaign_of(coupon.batch_id)
            campaign_counts.count_use(coupon.batch_id, campaign_id, coupon.id, 1)
    return redemption


class Quote(NamedTuple):
    """Hold what a code would take off, None without an amount, and what a redemption asks for yet.

    That are facts which the use does not say; nothing on a sale that the code is used on already.
    """

    off: Discount | None
    unsaid: frozenset[str]


def quote(coupon: Coupon, use: Use) -> Quote:
    """Return what redeeming a code would take off now; change nothing.

    Raises Refused with the reason.
    """
    terms = Terms.by_id(coupon.terms_id)
    standing = sales.known(coupon, terms, use)
    if standing is not None:
        price, setup = standing.discount, standing.setup_discount
        return Quote(None if price is None else Discount(price, setup or Decimal(0)), frozenset())
    use = replace(use, unchecked=use.unchecked | use_rules.QUOTED)
    first_use = _first_use(coupon, use)
    use_rules.check(coupon, terms, use, first_use)
    renewal = use_rules.renews(terms, first_use)
    if not renewal and _client_used_up(coupon, terms, use.client_id):
        raise Refused("client_used_up")
    unsaid = use_rules.unsaid(terms, use) - (use_rules.QUOTED if renewal else set())
    return Quote(use_rules.discount(terms, use), frozenset(unsaid))


def _given_back(coupon: Coupon, use: Use) -> bool:
    """Tell whether a use of the coupon, maybe that of the same sale, was released meanwhile."""
    named = use.invoice_id or use.order_id
    return bool(named) and coupons.current(coupon).num_usage < coupon.num_usage


def _first_use(coupon: Coupon, use: Use) -> int | None:
    """Return when the coupon was first used for the service of a use, None where it was not."""
    return services.first_use(coupon.id, use.account_id) if use.account_id else None


def _client_used_up(coupon: Coupon, terms: Terms, client_id: int) -> bool:
    """Tell whether the client has no use left; one who was not said is not asked for."""
    if not (terms.max_client_usage and client_id):
        return False
    (mine,) = _of_client.rows(coupon_id=coupon.id, client_id=client_id)[0]
    return bool(mine >= terms.max_client_usage)


def _drafted(coupon: Coupon, terms: Terms, use: Use) -> Redemption:
    """Return the redemption without its id and time."""
    off = use_rules.discount(terms, use)
    return _recorded(coupon, use, discount=off and off.price, setup_discount=off and off.setup)


def _recorded(coupon: Coupon, use: Use, **discounts: Any) -> Redemption:
    return Redemption(
        coupon_id=coupon.id,
        batch_id=coupon.batch_id,
        code=coupon.code,
        realm=coupon.realm,
        invoice_slot=use.invoice_id or None,
        day=use.today,
        uuid=clock.random_uuid() if use.campaign_id else None,
        **discounts,
        **{name: getattr(use, name) for name in _OF_USE},
    )


def _count(
    coupon: Coupon, terms: Terms, use: Redemption, cells: dict[str, Any], campaign_id: int | None
) -> bool:
    """Count and record one use; return False when the coupon changed since it was read."""
    most = terms.max_usage or UNLIMITED
    counted = _use.changed(
        id=coupon.id,
        terms=terms.id,
        batch_id=coupon.batch_id,
        most=most,
        below=1 if use.campaign_id else most,
    )
    if not counted:
        return False
    # The row of the coupon is ours now, so no other use of it can come between.
    if use.order_id and sales.on_order(coupon, use):
        raise Refused("busy")
    if not use.campaign_id and _client_used_up(coupon, terms, use.client_id):
        raise Refused("client_used_up")
    if use.account_id and not services.begin(coupon.id, use.account_id, clock.now()):
        raise Refused("once_per_service" if terms.cycle != use_rules.RECURRING else "busy")
    use.redeemed_at = cells["redeemed_at"] = clock.now()
    use.id = _insert.added(**cells)
    if coupon.batch_id != coupons.ALONE:
        batches.count_use(coupon.batch_id, coupon.id, 1)
        campaign_counts.count_use(coupon.batch_id, campaign_id, coupon.id, 1)
    daily_sums.count(use, 1)
    if use.campaign_id:
        players.add(use.campaign_id, use.user_id, use.points)
    _tell(use)
    return True


def _tell(use: Redemption) -> None:
    events.tell(REDEEMED, use.realm, partial(redemption_events.facts, use))


def _renew(coupon: Coupon, use: Redemption, cells: dict[str, Any]) -> bool:
    """Record a use by a service that is discounted already; return False when that has ended.

    Only services are counted, so neither the coupon nor its batch is changed.
    """
    same = (Coupon.id == coupon.id) & (Coupon.terms == coupon.terms_id) & Coupon.live.is_null(False)
    same &= (Coupon.active == coupon.active) & Coupon.stopped.is_null(not coupon.stopped)
    # The coupon first, as in every other change of it.
    if locked(Coupon.select(Coupon.id).where(same)).first() is None:
        return False
    if (use.order_id and sales.on_order(coupon, use)) or not services.renew(
        coupon.id, use.account_id
    ):
        raise Refused("busy")
    use.redeemed_at = cells["redeemed_at"] = clock.now()
    use.id = _insert.added(**cells)
    daily_sums.count(use, 1)
    _tell(use)
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
        Coupon.batch_id == slot("batch_id"),  # an import can move it
        Coupon.num_usage < slot("below"),
    )
)
_insert = Prepared(
    lambda: Redemption.insert(
        {field.name: slot(field.name) for field in Redemption._meta.sorted_fields[1:]}
    )
)
_of_client = Prepared(
    lambda: Redemption.select(services_of(Redemption)).where(
        Redemption.coupon_id == slot("coupon_id"),
        Redemption.client_id == slot("client_id"),
        Redemption.state == USED,
    )
)
