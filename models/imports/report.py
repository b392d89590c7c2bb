"""Report of an import by row and field: new, changed, vanished, refused, half known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from models.promotions.terms import CONTENT, Terms
from models.store.base import plain
from models.store.errors import Conflict

BATCH, CODE = "batch", "code"
NEW, CHANGED, VANISHED, REFUSED, HALF = "new", "changed", "vanished", "refused", "half_known"
NAMED = 1_000
"""Rows of each outcome that are named; the others are counted."""
QUIET = frozenset({"extra", "form", "imported_usage", "carried_count", "carried_used", "length"})
"""Columns that no answer shows, and counts that say the same as others."""
SHOWN_AS = {"live": "status", "config": "coupon_config"}


class Clash(Conflict):
    """Say which record has an id or a code that is taken in the store."""

    key = "clash"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


class ReportedRow(NamedTuple):
    """Hold what became of one row: its changed fields as (old, new), or the reason."""

    kind: str
    id: int
    name: str
    fields: Mapping[str, tuple[Any, Any]]
    reason: str


class Report:
    """Collect what becomes of rows, in a bounded size."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {BATCH: Counter(), CODE: Counter()}
        self.rows: dict[str, list[ReportedRow]] = {
            outcome: [] for outcome in (NEW, CHANGED, VANISHED, REFUSED, HALF)
        }

    def stored(
        self,
        kind: str,
        id: int,
        name: str,
        outcome: str,
        changes: Mapping[str, tuple[Any, Any]],
    ) -> None:
        """Note a row that is new, changed or unchanged."""
        if outcome == CHANGED:
            self._note(outcome, ReportedRow(kind, id, name, _by_field(changes), ""))
        elif outcome == NEW:
            self._note(outcome, ReportedRow(kind, id, name, {}, ""))

    def refused(self, kind: str, id: int, name: str, reason: str) -> None:
        """Note a row that cannot be stored."""
        self._note(REFUSED, ReportedRow(kind, id, name, {}, reason))

    def vanished(self, kind: str, id: int, name: str, reason: str) -> None:
        """Note a row that the other installation has no longer."""
        self._note(VANISHED, ReportedRow(kind, id, name, {}, reason))

    def half_known(self, id: int, name: str, reason: str) -> None:
        """Note a code whose details cannot be read."""
        self._note(HALF, ReportedRow(CODE, id, name, {}, reason))

    def _note(self, outcome: str, row: ReportedRow) -> None:
        self.counts[row.kind][outcome] += 1
        if len(self.rows[outcome]) < NAMED:
            self.rows[outcome].append(row)


def _by_field(changes: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """Return changes of columns with those of terms field by field."""
    fields = {name: pair for name, pair in changes.items() if name not in QUIET}
    if "terms_id" in fields:
        old, new = (Terms.by_id(terms_id) for terms_id in fields.pop("terms_id"))
        fields |= {
            name: (getattr(old, name), getattr(new, name))
            for name in CONTENT
            if name not in QUIET and getattr(old, name) != getattr(new, name)
        }
        if old.extra != new.extra and not fields:
            fields["extra"] = old.extra, new.extra
    return {
        SHOWN_AS.get(name, name): (_shown(name, old), _shown(name, new))
        for name, (old, new) in fields.items()
    }


def _shown(name: str, value: Any) -> Any:
    """Return a value as JSON has it."""
    if name == "live":
        return "Active" if value else "Archived"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, dict) and name != "config" else value
