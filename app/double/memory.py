"""What calls that are not ours say of promotions, kept until the next reset.

A discount that was set for a client, or put on an order draft, is shown by the calls that show
these. # guess: under which names a panel shows them: those of the calls that set them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MOST = 10_000
"""Clients, drafts and invoices that something is kept of."""
Arguments = Mapping[str, Any]
Answer = dict[str, Any]


class Memory:
    """Keep discounts of clients and order drafts; calls are found without regard to case."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, str]] = {}
        self._drafts: dict[str, dict[str, dict[str, str]]] = {}
        self._calls: dict[str, Callable[[Arguments, Answer], Answer]] = {
            "accountsetdiscount": self._set_for_account,
            "addorderdraftdiscount": self._add_to_draft,
            "removeorderdraftdiscount": self._remove_from_draft,
            "getaffiliatevouchers": _vouchers,
            "getaccountdetails": self._account,
            "getorderdraft": self._draft,
            "getinvoicedetails": self._invoice,
        }

    def knows(self, name: str) -> bool:
        """Tell whether a call says or shows something of promotions."""
        return name.lower() in self._calls

    def told(self, name: str, arguments: Arguments, answer: Answer) -> Answer:
        """Return the answer of a call with what is kept; keep what the call says."""
        tell = self._calls.get(name.lower())
        return answer if tell is None else tell(arguments, answer)

    def _set_for_account(self, arguments: Arguments, answer: Answer) -> Answer:
        if len(self._accounts) < MOST:
            self._accounts[_id(arguments)] = _discount(arguments)
        return answer

    def _add_to_draft(self, arguments: Arguments, answer: Answer) -> Answer:
        draft = self._drafts.setdefault(_id(arguments), {}) if len(self._drafts) < MOST else {}
        if len(draft) < MOST:
            number = str(max(map(int, draft), default=0) + 1)
            draft[number] = {"id": number} | _discount(arguments)
            return answer | {"discount_id": number}
        return answer

    def _remove_from_draft(self, arguments: Arguments, answer: Answer) -> Answer:
        draft = self._drafts.get(_id(arguments), {})
        named = str(arguments.get("discount_id", ""))
        if named:
            draft.pop(named, None)
        else:
            draft.clear()
        return answer

    def _account(self, arguments: Arguments, answer: Answer) -> Answer:
        return _with(answer, "details", self._accounts.get(_id(arguments)))

    def _draft(self, arguments: Arguments, answer: Answer) -> Answer:
        kept = self._drafts.get(_id(arguments))
        return answer if kept is None else answer | {"discounts": list(kept.values())}

    def _invoice(self, arguments: Arguments, answer: Answer) -> Answer:
        invoice = answer.get("invoice")
        client = str(invoice.get("client_id", "")) if isinstance(invoice, dict) else ""
        return _with(answer, "invoice", self._accounts.get(client)) if client else answer


def _vouchers(arguments: Arguments, answer: Answer) -> Answer:
    return {"vouchers": []} | answer


def _with(answer: Answer, key: str, discount: dict[str, str] | None) -> Answer:
    if discount is None:
        return answer
    shown = answer.get(key)
    return answer | {key: (shown if isinstance(shown, dict) else {}) | {"discount": discount}}


def _id(arguments: Arguments) -> str:
    """Return which client or draft is meant."""
    # guess: any of these names.
    names = ("id", "account_id", "client_id", "draft_id", "order_id")
    return next((str(arguments[name])[:64] for name in names if arguments.get(name)), "")


def _discount(arguments: Arguments) -> dict[str, str]:
    named = {"type", "value", "discount", "amount", "description", "reason", "expires", "code"}
    return {name: str(arguments[name])[:255] for name in sorted(named & arguments.keys())}
