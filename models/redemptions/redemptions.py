"""Redeem a code: check the use, count it and record it in one transaction."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import Any

from peewee import (
    BigIntegerField,
    Case,
    CharField,
    IntegerField,
    IntegrityError,
    SmallIntegerField,
    fn,
)

from models.promotions import batches, campaign_counts, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import UNLIMITED, Terms
from models.redemptions import money, players, services, use_rules
from models.redemptions.use_rules import Refused, Use
from models.store import clock, visibility
from models.store.base import DecimalText, Row, change, locked, retried
from models.store.errors import NotFound
from models.store.group_commit import run_in_group
from models.store.prepared import Prepared, slot

USED, RELEASED = "used", "released"
ATTEMPTS = 8
"""How often a use is tried again when the coupon is edited at the same moment."""


class Redemption(Row):
    """Keep one use of a code, for good: a release changes its state, nothing deletes it.

    `invoice_slot` is the invoice while the use stands and NULL otherwise: the unique index with
    the coupon then allows one standing use for each coupon and invoice, on every engine.
    One standing use for each order is held under the lock of the coupon's row: an order may have
    several services, and an earlier version has counted each use on it.
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
            (("code",), False),
            (("realm", "id"), False),
            (("redeemed_at",), False),
        )


def services_of(table: Any) -> Any:
    """Return how many uses rows of redemptions are: those of one service are one."""
    alone = fn.COUNT(Case(None, [(table.account_id == 0, 1)]))
    return alone + fn.COUNT(fn.DISTINCT(fn.NULLIF(table.account_id, 0)))


_OF_USE = [each.name for each in fields(Use) if each.name in Redemption._meta.fields]
"""What a redemption records of its use as it is."""
_NUMBERS = "client_id", "invoice_id", "order_id", "account_id"
_AMOUNTS = "amount", "setup_amount"
_OF_SALE = dict.fromkeys(_NUMBERS, 0) | dict.fromkeys(_AMOUNTS)
"""What a later request for the same sale may add, and what says that it is not known."""


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
            campaign_id = campaign_counts.campaign_of(coupon.batch_id)
            work = (
                partial(_renew, coupon, redemption, cells)
                if use_rules.renews(terms, first_use)
                else partial(_count, coupon, terms, redemption, cells, campaign_id)
            )
            counted = run_in_group(work)
        except (Refused, IntegrityError) as problem:
            # A use that stands on the sale always ends here: the others need not ask for it.
            standing = _told_more(coupon, terms, use)
            if standing is not None:
                return standing, False
            final = isinstance(problem, Refused) and problem.key != "busy"
            if final and not _given_back(coupon, use):
                raise
        if counted:
            return redemption, True
        coupon = coupons.current(coupon)
    raise Refused("busy")


def quote(coupon: Coupon, use: Use) -> money.Discount | None:
    """Return what a code would take off now, None without an amount; change nothing.

    Raises Refused with the reason.
    """
    terms = Terms.by_id(coupon.terms_id)
    use = replace(use, unchecked=use.unchecked | use_rules.QUOTED)
    first_use = _first_use(coupon, use)
    use_rules.check(coupon, terms, use, first_use)
    if not use_rules.renews(terms, first_use) and _client_used_up(coupon, terms, use.client_id):
        raise Refused("client_used_up")
    return _discount(terms, use)


def unsaid(coupon: Coupon, terms: Terms, use: Use) -> set[str]:
    """Return the facts that the terms ask for here and the use does not say."""
    renewal = use_rules.renews(terms, _first_use(coupon, use))
    return use_rules.unsaid(terms, use) - (use_rules.QUOTED if renewal else set())


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


def _standing(coupon: Coupon, use: Use) -> Redemption | None:
    """Return the use of the coupon that stands on the same sale: on its invoice, else its order."""
    found = None
    if use.invoice_id:
        found = Redemption.get_or_none(coupon_id=coupon.id, invoice_slot=use.invoice_id)
    return found or _on_order(coupon, use)


def _on_order(coupon: Coupon, use: Use | Redemption) -> Redemption | None:
    """Return the first use of the coupon that stands on the same order.

    Another service of the order is another sale, and so is another invoice of one service.
    """
    if not use.order_id:
        return None
    row = _of_order.first(
        coupon_id=coupon.id,
        order_id=use.order_id,
        account_id=use.account_id,
        invoice_id=use.invoice_id if use.account_id else 0,
    )
    return Redemption.of_row(row) if row else None


def _told_more(coupon: Coupon, terms: Terms, use: Use) -> Redemption | None:
    """Return the use of the coupon that stands on the same sale, with what is known by now.

    What it knew stays; a discount follows an amount that it did not know.
    """
    standing = _standing(coupon, use)
    if standing is None or not _news(standing, use):
        return standing
    with change():
        # As a use and a release do, so that neither comes between.
        coupons.locked_by_id(coupon.id)
        standing = _standing(coupon, use)
        if standing is None:
            return None
        news = _news(standing, use)
        # A service keeps the use that it has.
        if "account_id" in news and not services.begin(
            coupon.id, use.account_id, standing.redeemed_at
        ):
            del news["account_id"]
        news = _with_discount(news, standing, terms, use)
        if "invoice_id" in news:  # nothing stands on it, else that had been found
            news["invoice_slot"] = use.invoice_id
        if news:
            Redemption.update(news).where(Redemption.id == standing.id).execute()
    return Redemption.get_by_id(standing.id)


def _news(standing: Redemption, use: Use) -> dict[str, Any]:
    """Return what a use says of its sale and the one that stands does not know."""
    return {
        name: getattr(use, name)
        for name, empty in _OF_SALE.items()
        if getattr(standing, name) == empty != getattr(use, name)
    }


def _with_discount(
    news: dict[str, Any], standing: Redemption, terms: Terms, use: Use
) -> dict[str, Any]:
    """Return the news with the discounts that follow, without amounts that none follows from."""
    known = {name: news.get(name, getattr(standing, name)) for name in _AMOUNTS}
    try:
        off = _discount(terms, replace(use, **known))
    except Refused:  # it does not say what is bought, or other things than the first request
        off = None
    if off is None:
        return {name: value for name, value in news.items() if name not in _AMOUNTS}
    if "amount" in news or standing.discount is None:
        return news | {"discount": off.price, "setup_discount": off.setup}
    return news | ({"setup_discount": off.setup} if "setup_amount" in news else {})


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
    off = _discount(terms, use)
    return Redemption(
        coupon_id=coupon.id,
        batch_id=coupon.batch_id,
        code=coupon.code,
        realm=coupon.realm,
        invoice_slot=use.invoice_id or None,
        discount=off and off.price,
        setup_discount=off and off.setup,
        uuid=clock.random_uuid() if use.campaign_id else None,
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
    if _on_order(coupon, use):
        raise Refused("busy")
    if not use.campaign_id and _client_used_up(coupon, terms, use.client_id):
        raise Refused("client_used_up")
    if use.account_id and not services.begin(coupon.id, use.account_id, clock.now()):
        raise Refused("once_per_service" if terms.cycle != use_rules.RECURRING else "busy")
    use.redeemed_at = cells["redeemed_at"] = clock.now()
    use.id = _insert.added(**cells)
    if coupon.batch_id != coupons.ALONE:
        batches.count_use(coupon.batch_id, 1)
        campaign_counts.count_use(coupon.batch_id, campaign_id, coupon.id, 1)
    if use.campaign_id:
        players.add(use.campaign_id, use.user_id, use.points)
    return True


def _renew(coupon: Coupon, use: Redemption, cells: dict[str, Any]) -> bool:
    """Record a use by a service that is discounted already; return False when that has ended.

    Only services are counted, so neither the coupon nor its batch is changed.
    """
    same = (Coupon.id == coupon.id) & (Coupon.terms == coupon.terms_id) & Coupon.live.is_null(False)
    same &= (Coupon.active == coupon.active) & Coupon.stopped.is_null(not coupon.stopped)
    # The coupon first, as in every other change of it.
    if locked(Coupon.select(Coupon.id).where(same)).first() is None:
        return False
    if _on_order(coupon, use) or not services.renew(coupon.id, use.account_id):
        raise Refused("busy")
    use.redeemed_at = cells["redeemed_at"] = clock.now()
    use.id = _insert.added(**cells)
    return True


def _discount(terms: Terms, use: Use) -> money.Discount | None:
    amounts = use_rules.discounted(terms, use)
    if amounts is None:
        return None
    return money.discount(terms.type, terms.value, terms.applyto, *amounts, use.places)


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
_of_order = Prepared(
    lambda: (
        Redemption.select()
        .where(
            Redemption.coupon_id == slot("coupon_id"),
            Redemption.order_id == slot("order_id"),
            Redemption.state == USED,
            *(
                column.in_([0, slot(column.name)]) | (slot(column.name) == 0)
                for column in (Redemption.account_id, Redemption.invoice_id)
            ),
        )
        .order_by(Redemption.id)
        .limit(1)
    )
)
_state = Prepared(lambda: Redemption.select(Redemption.state).where(Redemption.id == slot("id")))
_of_client = Prepared(
    lambda: Redemption.select(services_of(Redemption)).where(
        Redemption.coupon_id == slot("coupon_id"),
        Redemption.client_id == slot("client_id"),
        Redemption.state == USED,
    )
)
