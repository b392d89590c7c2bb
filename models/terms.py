"""Terms: what a code gives and for whom, an immutable row that batches and coupons point to."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self

from peewee import CharField, DateField, IntegerField, IntegrityError, TextField

from models.base import DecimalText, JSONText, Row, database, plain

CYCLES = (
    "Daily",
    "Weekly",
    "Monthly",
    "Quarterly",
    "Semi-Annually",
    "Annually",
    "Biennially",
    "Triennially",
    "Quadrennially",
    "Quinquennially",
)
GROUPS = ("products", "categories", "domains", "addons", "forms")


class Terms(Row):
    """Keep one set of terms; equal terms are one row, found by the digest of their content.

    Groups are dicts id -> id, empty when not set. `max_usage`, `max_client_usage` and
    `increase_in_days` are 0 for no limit. `expires` is the last valid day or None. `extra` keeps
    what an imported answer said beyond these, as {answer: [[key before, key, value], …]}.
    """

    digest = CharField(max_length=64, unique=True)
    coupon_type = CharField(max_length=16, default="cart")
    type = CharField(max_length=16, default="percent")
    value = DecimalText(default=Decimal(0))
    applyto = CharField(max_length=16, default="price")
    cycle = CharField(max_length=16, default="once")
    options = CharField(max_length=255, default="0")
    cycles = JSONText(default=dict)
    products = JSONText(default=dict)
    categories = JSONText(default=dict)
    upgrades = JSONText(default="all")
    addons = JSONText(default=dict)
    domains = JSONText(default=dict)
    forms = JSONText(default=dict)
    expires = DateField(null=True)
    max_usage = IntegerField(default=0)
    clients = CharField(max_length=16, default="all")
    client_id = IntegerField(default=0)
    notes = TextField(default="")
    max_client_usage = IntegerField(default=0)
    increase_in_days = IntegerField(default=0)
    min_cart_amount = DecimalText(default=Decimal(0))
    prompt_cart_amount = DecimalText(default=Decimal(0))
    lastname = CharField(max_length=255, default="")
    firstname = CharField(max_length=255, default="")
    extra = JSONText(default=dict)

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Return the row with these terms, made if there is none; what is not given is unset."""
        terms = cls(**values)
        terms.digest = _digest(terms.content())
        found = cls.get_or_none(cls.digest == terms.digest)
        if found is not None:
            return found
        try:
            with database.atomic():
                terms.save(force_insert=True)
        except IntegrityError:
            return cls.get(cls.digest == terms.digest)  # another process was first
        return terms

    @classmethod
    def numbered(cls, terms_id: int) -> Self:
        """Return the terms with this id from memory where they are known: they never change."""
        return _numbered(cls, terms_id)

    def content(self) -> dict[str, Any]:
        """Return all fields but the row's own id and digest."""
        return {name: getattr(self, name) for name in CONTENT}

    def but(self, **changes: Any) -> Self:
        """Return the terms that equal these but for the changes."""
        return type(self).of(**(self.content() | changes))


CONTENT = tuple(name for name in Terms._meta.fields if name not in ("id", "digest"))


@lru_cache(maxsize=4096)
def _numbered(cls: type[Terms], terms_id: int) -> Any:
    return cls.get_by_id(terms_id)


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=False, default=_plain_text)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain_text(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)
