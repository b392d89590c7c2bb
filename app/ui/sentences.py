"""What terms and refusals mean, in sentences that a person understands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from app.ui.formatting import day, money, number, plural
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import HALF_KNOWN, Restriction, Terms
from models.redemptions.money import BOTH, PERCENT, PRICE, SETUP_FEE
from models.redemptions.use_rules import EXISTING, NEW, RECURRING, REFUSALS
from models.store import visibility

ACTIVE, USED_UP, ENDED, STOPPED, ARCHIVED, BEING_MADE = (
    *("Active", "Used up", "Ended", "Stopped", "Archived"),
    "Being made",
)
STATES = (ACTIVE, USED_UP, ENDED, STOPPED, ARCHIVED)
PARTS = {PRICE: "the price", SETUP_FEE: "the setup fee", BOTH: "the price and the setup fee"}
PLACES = {
    "cart": "in orders",
    "flavor": "in orders",
    "invoice": "on invoices",
    "invoice_cart": "in orders and on invoices",
}
GROUPS = {
    "products": "product",
    "categories": "product category",
    "addons": "addon",
    "domains": "domain ending",
    "forms": "form",
    "upgrades": "upgrade",
}
HINTS = {
    "code_archived": "It was put away. Make it active again if that was a mistake.",
    "terms_unknown": "It came from a list that did not say everything.",
    "code_expired": "Give it a later last day, or give the client another code.",
    "code_used_up": "Raise the number of uses, or release one that was a mistake.",
    "code_inactive": "Somebody stopped it; the audit says who.",
    "not_for_carts": "It works on invoices, not in orders.",
    "not_for_invoices": "It works in orders, not on invoices.",
    "client_missing": "The client has to log in before using it.",
    "client_other": "It was made for one client, and this is another.",
    "new_clients_only": "This client has bought before.",
    "existing_clients_only": "This client is new.",
    "once_per_service": "Each service gets it once.",
    "no_longer_discounted": "The days for which it discounts a service are over.",
    "items_missing": "Fill in what is bought, line by line, to know.",
    "not_for_these_items": "Nothing that is bought is what it is for.",
    "cart_too_small": "The client has to buy for more.",
    "client_used_up": "This client has had all uses that one client may have.",
    "busy": "Try again in a moment.",
}
"""What to tell a client, or to do, by the key of a refusal."""
OTHER_REASONS = {
    "code_not_found": "There is no such code",
    "campaign_not_found": "The campaign is not there or not running",
    "campaign_not_running": "The campaign is not running",
    "code_redeemed": "The code was redeemed before",
    "code_revoked": "The code is revoked",
    "too_many_requests": "Too many wrong codes were tried from there",
}


def reason(key: str) -> str:
    """Return why a use was refused, for the key of a refusal; the key itself where unknown."""
    sentence = REFUSALS.get(key) or OTHER_REASONS.get(key) or key
    return sentence.partition(":")[0]


def state_of(coupon: Coupon, terms: Terms, today: date) -> str:
    """Return one of STATES for a code."""
    if not coupon.live:
        return ARCHIVED
    if terms.expired(today):
        return ENDED
    # A code of a campaign is for one use, whatever its terms say.
    spent = coupon.num_usage > 0 and coupon.realm != visibility.LEGACY
    if spent or terms.used_up(coupon.num_usage):
        return USED_UP
    return ACTIVE if coupon.active else STOPPED


def state_of_batch(batch: Batch, today: date) -> str:
    """Return the state of a batch as a whole."""
    if not batch.live:
        return ARCHIVED
    if not batch.complete:
        return BEING_MADE
    if batch.terms.expired(today):
        return ENDED
    uses = batch.terms.max_usage
    return USED_UP if uses and batch.coupons_used >= uses * batch.coupons_count > 0 else ACTIVE


def of_code(coupon: Coupon, terms: Terms, today: date) -> str:
    """Return what a code does, beginning with why it does not work where it does not."""
    state = state_of(coupon, terms, today)
    if HALF_KNOWN in terms.extra and state == ACTIVE:
        begin = "Cannot be used yet, as its limits and products are not known"
    else:
        begin = {
            ACTIVE: "Works today",
            USED_UP: "Does not work: it is used up",
            ENDED: f"Does not work: it ended on {day(terms.expires)}",
            STOPPED: "Does not work: it is stopped",
            ARCHIVED: "Does not work: it is archived",
        }[state]
    return f"{begin}. {_capital(', '.join((*_terms(terms), _used(coupon, terms), _end(terms))))}."


def of_terms(terms: Terms) -> str:
    """Return what the codes of a batch do."""
    uses = f"{plural(terms.max_usage, 'use')} of each" if terms.max_usage else "any number of uses"
    return f"{_capital(', '.join((*_terms(terms), uses, _end(terms))))}."


def _terms(terms: Terms) -> Iterator[str]:
    off = f"{number_of(terms.value)} %" if terms.type == PERCENT else money(terms.value)
    what = PARTS.get(terms.applyto, PARTS[BOTH])
    each = " of every payment" if terms.cycle == RECURRING else " of the first payment"
    bought = _restriction(Restriction.of(terms))
    yield f"{off} off {what}{each}{f' of {bought}' if bought else ''}"
    if terms.increase_in_days:
        yield f"for the first {plural(terms.increase_in_days, 'day')} of a service"
    yield PLACES.get(terms.coupon_type, f"for {terms.coupon_type}")
    if terms.client_id:
        yield f"for client {terms.client_id} alone"
    elif terms.clients in (NEW, EXISTING):
        yield f"for {terms.clients} clients"
    else:
        yield "for new and existing clients"
    if terms.min_cart_amount:
        yield f"from a cart of {money(terms.min_cart_amount)}"
    if terms.prompt_cart_amount:
        yield f"offered from a cart of {money(terms.prompt_cart_amount)}"
    if terms.max_client_usage:
        yield f"at most {plural(terms.max_client_usage, 'use')} by one client"


def _restriction(restriction: Restriction) -> str:
    """Return what a code is for: few ids are named, many are counted."""
    things = []
    for group, ids in restriction.groups.items():
        noun = GROUPS[group]
        many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
        named = ", ".join(ids)
        few = len(ids) <= 3
        things.append(f"{noun if len(ids) == 1 else many} {named}" if few else f"{len(ids)} {many}")
    if restriction.cycles:
        things.append(f"what is billed {', '.join(restriction.cycles)}")
    if restriction.actions:
        things.append(f"domains to {' or '.join(restriction.actions)}")
    return " and ".join(things)


def _used(coupon: Coupon, terms: Terms) -> str:
    if terms.max_usage:
        return f"used {number(coupon.num_usage)} of {number(terms.max_usage)}"
    return f"used {plural(coupon.num_usage, 'time')}" if coupon.num_usage else "never used"


def _end(terms: Terms) -> str:
    return f"ends {day(terms.expires)}" if terms.expires else "without an end"


def number_of(value: object) -> str:
    """Return a number without the zeros behind its point."""
    text = f"{value:f}" if hasattr(value, "as_tuple") else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
