"""What calls that are not ours say of discounts, kept until the next reset.

An account and an order draft have one discount each: a coupon by its id, that of the client, or a
custom one with type and value.
# guess: discount, with the arguments that set it, is the name under which a panel shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST = 10_000
"""Accounts that a discount is kept of, and drafts."""
FIELDS = ("coupon", "target", "type", "value", "items", "cycle")
UPDATED = "Discount updated successfully"
Arguments = Mapping[str, Any]
Answer = dict[str, Any]
Discounts = dict[str, Answer]


class Memory:
    """Keep discounts of accounts and order drafts; calls are found without regard to case."""

    def __init__(self) -> None:
        self._accounts: Discounts = {}
        self._drafts: Discounts = {}

    def copy(self) -> Memory:
        """Return another one that holds the same."""
        other = Memory()
        other._accounts, other._drafts = self._accounts.copy(), self._drafts.copy()
        return other

    def required(self, name: str) -> Sequence[str] | None:
        """Return the arguments that a call needs; None for one that has to do with no discount."""
        return _REQUIRED.get(name.lower())

    def told(self, name: str, arguments: Arguments, answer: Answer) -> Answer:
        """Return the answer of a call with what is kept; keep what the call says.

        Of a call that was refused nothing is kept.
        """
        tell = _CALLS.get(name.lower())
        return tell(self, arguments, answer) if tell and answer.get("success") else answer

    def _set_for_account(self, arguments: Arguments, answer: Answer) -> Answer:
        # guess: the coupon 0 takes the discount off an account.
        if arguments.get("coupon") == "0":
            self._accounts.pop(_id(arguments), None)
        else:
            _keep(self._accounts, arguments)
        return _filled(answer, "info", [UPDATED])

    def _add_to_draft(self, arguments: Arguments, answer: Answer) -> Answer:
        # guess: a draft has one discount, and another one takes its place.
        _keep(self._drafts, arguments)
        return _filled(answer, "draft", [])

    def _remove_from_draft(self, arguments: Arguments, answer: Answer) -> Answer:
        self._drafts.pop(_id(arguments), None)
        return _filled(answer, "draft", [])

    def _account(self, arguments: Arguments, answer: Answer) -> Answer:
        return _with(answer, "details", self._accounts.get(_id(arguments)))

    def _draft(self, arguments: Arguments, answer: Answer) -> Answer:
        draft = self._drafts.get(_id(arguments))
        return _with(_filled(answer, "draft", []), "draft", draft)

    def _invoice(self, arguments: Arguments, answer: Answer) -> Answer:
        invoice = answer.get("invoice")
        items = invoice.get("items") if isinstance(invoice, dict) else None
        if not isinstance(invoice, dict) or not isinstance(items, list):
            return answer
        return answer | {"invoice": invoice | {"items": [self._item(each) for each in items]}}

    def _item(self, item: Any) -> Any:
        # guess: an invoice shows the discount of an account at the items of this account.
        account = str(item.get("item_id")) if isinstance(item, dict) else ""
        discount = self._accounts.get(account)
        return item if discount is None else item | {"discount": discount}


def _vouchers(memory: Memory, arguments: Arguments, answer: Answer) -> Answer:
    return _filled(answer, "vouchers", [])


_CALLS: dict[str, Callable[[Memory, Arguments, Answer], Answer]] = {
    "accountsetdiscount": Memory._set_for_account,
    "addorderdraftdiscount": Memory._add_to_draft,
    "removeorderdraftdiscount": Memory._remove_from_draft,
    "getaffiliatevouchers": _vouchers,
    "getaccountdetails": Memory._account,
    "getorderdraft": Memory._draft,
    "getinvoicedetails": Memory._invoice,
}
_REQUIRED = dict.fromkeys(_CALLS, ("id",)) | {
    "accountsetdiscount": ("id", "coupon"),
    "addorderdraftdiscount": ("id", "coupon"),
    "getaffiliatevouchers": (),
}


def _keep(kept: Discounts, arguments: Arguments) -> None:
    """Keep a discount, unless nothing is named that has it, or there are too many."""
    named = _id(arguments)
    if named and (named in kept or len(kept) < MOST):
        kept[named] = {name: arguments[name] for name in FIELDS if name in arguments}


def _filled(answer: Answer, key: str, value: Any) -> Answer:
    return answer | {key: answer.get(key, value)}


def _with(answer: Answer, key: str, discount: Answer | None) -> Answer:
    if discount is None:
        return answer
    shown = answer.get(key)
    return answer | {key: (shown if isinstance(shown, dict) else {}) | {"discount": discount}}


def _id(arguments: Arguments) -> str:
    found = arguments.get("id")
    return found if isinstance(found, str) else ""
