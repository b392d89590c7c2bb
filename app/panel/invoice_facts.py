"""Ask the panel what stands on an invoice: scripts that apply a coupon to one do not say it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NoReturn

import calls
from app import access
from app.config import BadSetting
from app.limits import TooMany
from app.panel import forward, routing
from app.panel.client import Panel
from app.panel.incoming import Incoming
from app.panel.problem import PanelProblem
from calls import Caller, WrongParameters
from calls.wire.ids import LARGEST_COUNT
from models.panel.routes import FORWARD
from models.promotions import coupons
from models.promotions.terms import Item, Restriction, Terms, spelled
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.base import database
from models.store.errors import NotFound

APPLY = "applyInvoiceCoupon"
SECONDS = 5
"""How long all questions about one invoice may take together."""
MOST_LINES = 200
MOST_ASKED = 20
"""Accounts and products that are asked about for one invoice."""
LARGEST_AMOUNT = 10**12
NO_RIGHT = (
    access.WRONG_PAIR,
    access.WRONG_ADDRESS,
    access.NOT_ENABLED,
    access.NOT_SUPPORTED,
)
"""What the panel says where our own pair may not ask."""
# guess: lines for domains are described as "Domain Registration: NAME Period: 1 Year/s" is.
DOMAIN = re.compile(r"[^:]{1,60}: [^\s.]{1,63}\.(\S{1,180}) Period: ([0-9]{1,2}) Year")
# guess: beside lines of type Domain Register there are Domain Transfer and Domain Renew.
ACTIONS = {
    "domain register": "register",
    "domain transfer": "transfer",
    "domain renew": "renew",
}
NO_SERVICE = "lines"
"""Stands as the group of what is no product, addon or domain."""
log = logging.getLogger(__name__)


class _NotTold(Exception):
    """Say that the panel does not tell."""


def known(asked: Incoming, name: str, caller: Caller) -> Caller:
    """Return the caller with what the panel says of the invoice of a call that is counted here.

    It is asked for what the call does not say itself: the client, and with the lines the amount and
    what is bought. What it does not tell is left unsaid. The store's connection is given back
    meanwhile.
    """
    if routing.plain(name) != APPLY or routing.mode(APPLY) == FORWARD:
        return caller
    try:
        said = calls.load(calls.registry()[APPLY], asked.arguments(), caller)
        use: Use = said["use"]
        with caller.lookup_guard(use.client_id):
            pass  # who has guessed too much makes nobody ask the panel
        coupon = coupons.by_code_or_id(said["code"])
    except (WrongParameters, NotFound, TooMany):
        return caller  # the call itself says so, and counts a code that there is not
    restriction = Restriction.of(Terms.by_id(coupon.terms_id))
    if use.client_id and use.items and use.amount is not None:
        return caller
    database.close()  # a panel that hangs must not hold it
    try:
        facts = _Questions(forward.panel(), restriction, caller.places).about(use)
    except NotFound as problem:
        refusal = problem

        def refuse() -> NoReturn:
            raise refusal

        return replace(caller, invoice=refuse)
    except _NotTold:
        return caller
    finally:
        database.connect(reuse_if_open=True)
    return replace(caller, invoice=lambda: facts)


class _Questions:
    """Ask about one invoice, within one deadline."""

    def __init__(self, panel: Panel, restriction: Restriction, places: int) -> None:
        self._panel, self._restriction, self._places = panel, restriction, places
        self._ends = clock.elapsed() + SECONDS
        self._left = MOST_ASKED
        self._answers: dict[tuple[str, str], Mapping[str, Any]] = {}

    def about(self, use: Use) -> dict[str, Any]:
        """Return what the use does not say. Raises NotFound and _NotTold."""
        invoice = self._invoice(use.invoice_id)
        facts: dict[str, Any] = {}
        client_id = _id(invoice.get("client_id"))
        if not use.client_id and client_id and int(client_id) <= LARGEST_COUNT:
            facts["client_id"] = int(client_id)
        lines = _members(invoice.get("items"))
        if not lines or len(lines) > MOST_LINES:
            return facts
        amounts = [_amount(line, self._places) for line in lines]
        are_known = None not in amounts
        if use.amount is None and use.setup_amount is None and are_known:
            facts["amount"] = sum((each for each in amounts if each and each > 0), Decimal(0))
        if not use.items and self._restriction:
            # guess: a line below zero is a discount that stands on the invoice already.
            sold = [
                (line, amount)
                for line, amount in zip(lines, amounts, strict=True)
                if amount is None or amount >= 0
            ]
            try:
                items = tuple(
                    replace(self._item(line), amount=amount if are_known else None)
                    for line, amount in sold
                )
            except _NotTold:
                return facts
            if None not in map(self._restriction.admits, items):
                facts |= {"items": items, "itemized": are_known}
        return facts

    def _invoice(self, invoice_id: int) -> Mapping[str, Any]:
        answer = self._asked("getInvoiceDetails", str(invoice_id))
        invoice = answer.get("invoice")
        if answer.get("success") is True:
            if isinstance(invoice, dict) and _id(invoice.get("id")) == str(invoice_id):
                return invoice
            raise _NotTold
        errors = _members(answer.get("error"), str)
        if set(errors) & set(NO_RIGHT):
            log.warning("Our own pair may not ask the panel about invoices")
            raise _NotTold
        raise NotFound("The invoice does not exist", "invoice_not_found")

    def _item(self, line: Mapping[str, Any]) -> Item:
        """Return what a line sells. Raises _NotTold."""
        kind, item_id = str(line.get("type")).casefold(), _id(line.get("item_id"))
        if kind == "hosting":
            return self._service(item_id)
        if kind in ACTIONS:
            found = DOMAIN.match(str(line.get("description"))[:300])
            domain, years = (spelled(found[1]), f"tld{int(found[2])}") if found else ("", "")
            return Item(self._group("domains", domain), years, ACTIONS[kind])
        if kind == "addon":
            # guess: the number of an Addon line is that of the sale, not of the addon.
            return Item(self._group("addons", ""))
        if kind == "other":
            return Item({NO_SERVICE: frozenset((kind,))}, cycle="-")
        raise _NotTold

    def _service(self, account_id: str) -> Item:
        details = self._answer("getAccountDetails", account_id, "details")
        product = _id(details.get("product_id"))
        if not product:
            raise _NotTold
        if "forms" in self._restriction.groups:
            raise _NotTold  # what was chosen in a form is on no line
        ids = {"products": frozenset((product,))}
        if "categories" in self._restriction.groups:
            category = _id(self._answer("getProductDetails", product, "product").get("category_id"))
            if category:
                ids["categories"] = frozenset((category,))
        return Item(ids, spelled(str(details.get("billingcycle") or "")))

    def _group(self, group: str, member: str) -> dict[str, frozenset[str]]:
        """Return the group of an item of which the member may not be known, "" then."""
        if not member and group in self._restriction.groups:
            return {}
        return {group: frozenset((member or "-",))}

    def _answer(self, call: str, number: str, key: str) -> Mapping[str, Any]:
        """Return the object that a call answers, asked once for each number. Raises _NotTold."""
        if (call, number) not in self._answers:
            if not number or not self._left:
                raise _NotTold
            self._left -= 1
            answer = self._asked(call, number)
            found = answer.get(key) if answer.get("success") is True else None
            self._answers[call, number] = found if isinstance(found, dict) else {}
        return self._answers[call, number]

    def _asked(self, call: str, number: str) -> dict[str, Any]:
        left = self._ends - clock.elapsed()
        if left <= 0:
            raise _NotTold
        try:
            return self._panel.ask(call, {"id": number}, seconds=left)
        except PanelProblem as problem:
            log.warning("The panel was asked about an invoice in vain: %s", problem.sentence)
            raise _NotTold from None
        except BadSetting as problem:
            log.warning("The panel cannot be asked about invoices: %s", problem)
            raise _NotTold from None


def _members(value: Any, kind: type = dict) -> list[Any]:
    """Return the members of a PHP list, as far as they are of a kind."""
    members = value.values() if isinstance(value, dict) else value
    return [each for each in members if isinstance(each, kind)] if _is_list(value) else []


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, dict))


def _id(value: Any) -> str:
    """Return a number as its digits, "" for what is none."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    is_number = len(text) <= 20 and text.isascii() and text.isdecimal()
    return str(int(text)) if is_number and int(text) else ""


def _amount(line: Mapping[str, Any], places: int) -> Decimal | None:
    """Return what a line costs, None where that is no number."""
    try:
        amount = Decimal(str(line.get("amount"))[:32]) * Decimal(str(line.get("qty", 1))[:32])
        if not abs(amount) < LARGEST_AMOUNT:
            return None
        return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    except (InvalidOperation, ValueError):
        return None
