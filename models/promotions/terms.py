"""Terms: the discount and conditions of codes, an immutable row that batches and coupons share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, Self

from peewee import BigIntegerField, CharField, DateField, IntegerField, IntegrityError, TextField

from models.store.base import DecimalText, JSONText, Row, change, plain, retried
from models.store.prepared import Prepared, slot

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
KEPT = 1024
"""How many rows a process keeps in memory: one never changes."""
GROUPS = ("products", "categories", "domains", "addons", "forms")
ACTIONS = {"register": 1, "transfer": 2, "renew": 4}
"""What is done with a domain, and its bit in the `options` of terms."""
NAMES = 20
"""How many ids of a group a refusal names."""
UNLIMITED = 2**31 - 1
"""Stands for no limit: the largest number of uses that a row can hold."""
REPEAT = "repeat"
"""Marks in the `extra` of terms a coupon that was said to be live although a newer one has its
code: it is not live here, so that the code finds the newer one, but is still shown as live."""

HALF_KNOWN = "half_known"
"""Marks in the `extra` of terms a code of which only a list was read, which tells no limits, days
or products: it must not be used until the rest is known."""


class Terms(Row):
    """Keep one set of terms; its id is made of its content, so equal terms are one row.

    The id of one content never stands for another, in any store: what is derived from terms can
    be kept by their id for good, even when the transaction that made the row is rolled back.
    Groups are dicts id -> id, empty when not set. `max_usage`, `max_client_usage` and
    `increase_in_days` are 0 for no limit. `expires` is the last valid day or None. `extra` keeps
    what an imported answer said beyond these, as {answer: [[key before, key, value], …]}.
    """

    id = BigIntegerField(primary_key=True)
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
        """Return the row with these terms, made if there is none; other fields are unset."""
        return cls.drafted(**values).stored()

    @classmethod
    def drafted(cls, **values: Any) -> Self:
        """Return the same terms with their id, whether there is such a row or not."""
        terms = cls(**values)
        terms.id = _content_id(terms.content())
        return terms

    @retried
    def stored(self) -> Self:
        """Store these terms unless there is such a row; return them."""
        if _by_id.first(id=self.id) is None:
            with suppress(IntegrityError), change():  # another process may be first
                self.save(force_insert=True)
        return self

    @staticmethod
    @lru_cache(maxsize=KEPT)
    def by_id(terms_id: int) -> Terms:
        """Return the terms with this id, not to be changed. Raises ValueError for no row."""
        (row,) = _by_id.rows(id=terms_id)
        return Terms.of_row(row)

    def content(self) -> dict[str, Any]:
        """Return all fields but the row's own id and digest."""
        return {name: getattr(self, name) for name in CONTENT}

    def expired(self, today: date) -> bool:
        """Tell whether the last valid day is over."""
        return self.expires is not None and self.expires < today

    def used_up(self, uses: int) -> bool:
        """Tell whether a code with so many uses has none left."""
        return uses >= (self.max_usage or UNLIMITED)


CONTENT = tuple(name for name in Terms._meta.fields if name != "id")
_by_id = Prepared(lambda: Terms.select().where(Terms.id == slot("id")))


def marked(content: Mapping[str, Any], **marks: bool) -> dict[str, Any]:
    """Return the content of terms with or without marks: REPEAT, HALF_KNOWN."""
    given = {name: [True] if on else [] for name, on in marks.items()}
    return {**content, "extra": tidy(content["extra"] | given)}


def tidy(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dict without empty values, in one order, so that equal terms are one row."""
    return {name: extra[name] for name in sorted(extra) if extra[name]}


def _content_id(content: dict[str, Any]) -> int:
    """Return the first 63 bits of the content's digest: positive in every engine's bigint."""
    text = json.dumps(content, default=_plain_text)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def _plain_text(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)


@dataclass(frozen=True)
class Item:
    """Describe one thing that is bought: the ids that it was said to have, by group.

    A product can have several categories. Ids and cycles are `spelled`; what was not said is
    empty; amounts are of the whole line.
    """

    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    cycle: str = ""
    action: str = ""
    amount: Decimal | None = None
    setup_amount: Decimal | None = None


@dataclass(frozen=True)
class Restriction:
    """Hold what a code is for: ids by group, cycles, actions with domains; empty for all."""

    groups: Mapping[str, tuple[str, ...]]
    cycles: tuple[str, ...]
    actions: tuple[str, ...]

    @classmethod
    @lru_cache(maxsize=KEPT)
    def of(cls, terms: Terms) -> Restriction:
        """Return what terms say, in whatever form an import brought it."""
        # Every coupon has upgrades that are "all", so these are no choice of upgrades.
        chosen = {name: ids_in(getattr(terms, name)) for name in (*GROUPS, "upgrades")}
        cycles = ids_in(terms.cycles)
        # guess: the bits of options are 1 register, 2 transfer, 4 renew; none is all of them.
        bits = int(terms.options) & 7 if terms.options.isdecimal() else 0
        actions = () if bits in (0, 7) else tuple(n for n, bit in ACTIONS.items() if bits & bit)
        return cls({name: ids for name, ids in chosen.items() if ids}, cycles, actions)

    def __bool__(self) -> bool:
        return bool(self.groups or self.cycles or self.actions)

    @cached_property
    def _wanted(self) -> Mapping[str, frozenset[str]]:
        return {name: frozenset(map(spelled, ids)) for name, ids in self.groups.items()}

    @cached_property
    def _wanted_cycles(self) -> frozenset[str]:
        return frozenset(map(spelled, self.cycles))

    def __str__(self) -> str:
        lists = {**self.groups, "cycles": self.cycles, "domain actions": self.actions}
        return "; ".join(
            f"{name} {', '.join(ids[:NAMES])}"
            + (f" and {len(ids) - NAMES} more" if len(ids) > NAMES else "")
            for name, ids in lists.items()
            if ids
        )

    def admits(self, item: Item) -> bool | None:
        """Tell whether the code is for an item, None when what was said of it does not tell."""
        known = (self._has_group(item), self._has_cycle(item), self._has_action(item))
        return False if False in known else None if None in known else True

    def _has_group(self, item: Item) -> bool | None:
        if not self.groups:
            return True
        untold = not item.ids
        for name, wanted in self._wanted.items():
            said = item.ids.get(name, frozenset())
            if said and said <= wanted:
                return True
            untold = untold or bool(said & wanted)
        # A product is in a category, and what is in a category is a product.
        pair = {"products", "categories"}
        if pair & item.ids.keys() and pair & self.groups.keys() - item.ids.keys():
            untold = True
        return None if untold else False

    def _has_cycle(self, item: Item) -> bool | None:
        if not self.cycles:
            return True
        return item.cycle in self._wanted_cycles if item.cycle else None

    def _has_action(self, item: Item) -> bool | None:
        if not self.actions or (item.ids and "domains" not in item.ids):
            return True
        return item.action in self.actions if item.action else None


def spelled(text: str) -> str:
    """Return an id, a TLD or a cycle as it is compared: without case and the point in front."""
    return text.strip().casefold().removeprefix(".")


def ids_in(value: Any) -> tuple[str, ...]:
    """Return the ids of a group as terms keep it; none where 0 or "all" is one, which means all.

    That is an object of ids, and from imports also a list, ids with commas between them, one
    number, or a switch.
    """
    members: Iterable[Any]
    if isinstance(value, dict):
        members = value.values()
    elif isinstance(value, list):
        members = value
    else:
        members = "" if isinstance(value, bool) else str(value or "").split(",")
    ids = dict.fromkeys(str(each).strip() for each in members)
    return () if {"0", "all"} & ids.keys() else tuple(filter(None, ids))
