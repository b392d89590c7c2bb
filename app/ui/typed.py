"""Forms whose fields are arguments of calls: what is typed is read by the schemas of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flask import request
from marshmallow import ValidationError
from marshmallow.fields import Field

from app.exchange import terms_parsing
from app.ui import store
from calls import Params, WrongParameters, php
from calls.wire import editing
from calls.wire.editing import TermsChange
from models.promotions.terms import Terms
from models.store.errors import PromoError

LABELS = {
    "name": "Name",
    "prefix": "Codes begin with",
    "size": "How many codes",
    "length": "Characters to draw",
    "readable": "Leave out characters that look alike (O 0 I 1 L)",
    "coupon_type": "Where codes can be used",
    "value": "Discount",
    "type": "What the discount is",
    "clients": "For whom",
    "client_id": "Only for client",
    "expires": "Last day",
    "max_usage": "Uses of each code",
    "max_client_usage": "Uses by one client",
    "cycle": "Which payments",
    "applyto": "Taken off",
    "increase_in_days": "Days for which a service is discounted",
    "min_cart_amount": "Smallest cart",
    "prompt_cart_amount": "Offered from a cart of",
    "products": "Only products",
    "categories": "Only product categories",
    "addons": "Only addons",
    "domains": "Only domain endings",
    "forms": "Only forms",
    "cycles": "Only billing cycles",
    "notes": "Notes",
}
WORDS = {
    "cart": "in orders",
    "invoice": "on invoices",
    "invoice_cart": "in orders and on invoices",
    "flavor": "in orders of a flavor",
    "percent": "percent",
    "fixed": "an amount",
    "all": "new and existing clients",
    "new": "new clients",
    "existing": "existing clients",
    "once": "the first payment",
    "recurring": "every payment",
    "price": "the price",
    "setupfee": "the setup fee",
    "both": "price and setup fee",
}
LONG = ("notes",)
SWITCHES = {"1": "yes", "": "no"}


class TypedField(NamedTuple):
    """Hold what a template shows of a field; `name` is the argument that developers know."""

    name: str
    label: str
    kind: str
    choices: Mapping[str, str]
    hint: str
    value: str
    errors: Sequence[str]
    required: bool


class TypedForm:
    """Read fields of a schema from a form and keep what was typed where something is wrong.

    `held` are the texts of what is there: an edit (`changes`) brings only what differs from them.
    """

    def __init__(
        self,
        schema: type[Params],
        names: Sequence[str],
        held: Mapping[str, str] | None = None,
        changes: bool = False,
    ) -> None:
        self._schema, self._names, self._held = schema, names, dict(held or {})
        self._changes = changes
        self.sent: Mapping[str, str] = request.form if request.method == "POST" else {}
        self.errors: dict[str, list[str]] = {}

    @property
    def fields(self) -> list[TypedField]:
        """Return the fields in their order."""
        return [self._field(name, self._schema._declared_fields[name]) for name in self._names]

    @property
    def general(self) -> list[str]:
        """Return what is wrong with no field that is shown."""
        return [
            text for name in self.errors if name not in self._names for text in self.errors[name]
        ]

    def loaded(self, terms: Terms | None = None) -> dict[str, Any] | None:
        """Return the arguments that were typed, None where `errors` says what is wrong.

        `terms` are those that they change.
        """
        texts = {name: self._typed(name) for name in self._names}
        if self._changes:
            texts = {name: text for name, text in texts.items() if text != self._held.get(name, "")}
        schema = self._schema()
        schema.caller = store.caller()
        given: dict[str, Any] = {name: "" for name, text in texts.items() if not text}
        if not self._changes:
            given = {}
        try:
            loaded: dict[str, Any] = schema.load(given | terms_parsing.parse_terms(texts))
        except ValidationError as problem:
            self.errors = {
                name: [f"This {text}." for text in reasons]
                for name, reasons in problem.normalized_messages().items()
            }
            return None
        if terms is not None and issubclass(self._schema, TermsChange):
            wrong = editing.problems(terms, loaded)
            self.errors = {name: [f"This {each}." for each in wrong[name]] for name in wrong}
        return None if self.errors else loaded

    def refuse(self, problem: PromoError | WrongParameters) -> None:
        """Show why the store refused, above the form."""
        sentences = problem.problems if isinstance(problem, WrongParameters) else [str(problem)]
        self.errors.setdefault("", []).extend(f"{text}." for text in sentences)

    def shown(self) -> dict[str, str]:
        """Return what was typed by the labels of the fields."""
        return {LABELS[name]: self._typed(name) for name in self._names}

    def shown_of(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Return other texts in the same way."""
        return {LABELS[name]: texts.get(name, "") for name in self._names}

    def _typed(self, name: str) -> str:
        return self.sent.get(name, self._held.get(name, "") if not self.sent else "").strip()

    def _field(self, name: str, field: Field[Any]) -> TypedField:
        choices: Mapping[str, str] = {}
        kind = "long" if name in LONG else "text"
        if isinstance(field, php.Choice):
            kind, choices = "choice", {word: WORDS.get(word, word) for word in field.words}
        elif isinstance(field, php.Flag):
            kind, choices = "choice", SWITCHES
        elif isinstance(field, php.Day):
            kind = "date"
        elif isinstance(field, php.Whole):
            kind = "number"
        elif isinstance(field, php.Amount):
            kind = "amount"
        hint = field.metadata.get("description", "")
        is_list = name in (*terms_parsing.LISTS, terms_parsing.UPGRADES)
        return TypedField(
            name,
            LABELS[name],
            kind,
            choices,
            f"{hint} Ids with commas between them." if is_list else hint,
            self._typed(name),
            self.errors.get(name, ()),
            bool(field.required) and not self._changes,
        )
