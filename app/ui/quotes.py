"""Would a code work for this cart, and why not: what validatePromoCode says, for people."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from flask import request
from marshmallow import ValidationError

from app.ui import sentences, store
from calls.php.arguments import arguments
from calls.wire.use_arguments import UseParams
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions, use_rules
from models.redemptions.use_rules import Refused, Use

LINES = range(3)
"""Lines of a cart that the form has."""
PLAIN = ("client_id", "clients", "invoice_id", "order_id", "amount", "setup_amount")
UNSAID = {
    use_rules.AMOUNT: "It asks for a cart of a certain size, so say the amount to be sure.",
    use_rules.CLIENT_USES: "It is limited for each client, so say the client to be sure.",
}


class QuoteForm(NamedTuple):
    """Hold what was typed, what is wrong with it, and the answer: None where nothing was asked."""

    typed: Mapping[str, str]
    errors: Mapping[str, list[str]]
    works: bool | None = None
    sentence: str = ""
    hint: str = ""
    off: Decimal | None = None


def asked(coupon: Coupon, terms: Terms) -> QuoteForm:
    """Return the form with the answer for what the address says; nothing is changed."""
    typed = {name: text.strip() for name, text in request.args.items() if text.strip()}
    if "quote" not in typed:
        return QuoteForm(typed, {})
    use, errors = _use(request.query_string)
    if use is None:
        return QuoteForm(typed, errors)
    try:
        quote = redemptions.quote(coupon, use)
    except Refused as problem:
        missing = use_rules.missing_amount(terms, use)
        hint = sentences.HINTS.get(problem.key, "")
        if missing:
            hint = f"{hint} The cart lacks {sentences.money(missing)}.".strip()
        return QuoteForm(typed, {}, False, problem.sentence, hint)
    unsaid = " ".join(text for fact, text in UNSAID.items() if fact in quote.unsaid)
    off = quote.off.total if quote.off else None
    return QuoteForm(typed, {}, True, "Yes, the code would work.", unsaid, off)


def _use(query: bytes) -> tuple[Use | None, dict[str, list[str]]]:
    """Return the use that an address describes, as the API reads it, and what is wrong."""
    said: dict[str, Any] = {
        str(name): value for name, value in arguments(query, "", b"").items() if value != ""
    }
    lines = said.pop("items", {})
    said = {name: said[name] for name in PLAIN if name in said}
    if isinstance(lines, dict):
        filled = [
            {name: text for name, text in line.items() if text != ""}
            for line in lines.values()
            if isinstance(line, dict)
        ]
        said |= _bought([line for line in filled if line])
    schema = UseParams()
    schema.caller = store.caller()
    try:
        loaded: Use = schema.load(said | {"code": "-"})["use"]
    except ValidationError as problem:
        return None, problem.normalized_messages()
    return loaded, {}


def _bought(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return lines as the API takes them: as lists where the amount is said of all of them."""
    cycles = {line.get("cycle", "") for line in lines}
    if any("amount" in line for line in lines) or len(cycles) != 1:
        return {"items": dict(enumerate(lines))} if lines else {}
    products = dict(enumerate(line["product"] for line in lines if "product" in line))
    return {"products": products, "cycle": cycles.pop()}
