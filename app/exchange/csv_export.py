"""Export batches as CSV, one line for each code with its terms, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

from app.exchange.csv_cells import csv_bytes, escape_formula
from calls.wire import editing, schemas
from calls.wire.use_arguments import amount_text
from models.promotions import coupons
from models.promotions.terms import Terms

OWN = ("code", "status", "active", "uses")
FIRST_TERMS = (
    *("max_usage", "max_client_usage", "expires", "coupon_type", "type", "value", "applyto"),
    *("cycle", "clients", "client_id", "min_cart_amount", "prompt_cart_amount"),
    *("increase_in_days", "products", "categories", "domains", "addons", "forms", "cycles"),
    "notes",
)
TERMS = tuple(dict.fromkeys((*FIRST_TERMS, *editing.TermsChange.described())))
"""The columns of a coupon itself, then those of its terms, named as in addPromoCode."""
SLICE = 5000
"""Codes that are held in memory at once."""
KEPT_TERMS = 1000


def pieces(batch_id: int, *, places: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield a batch as CSV in UTF-8, the header first: (number of codes, bytes) by piece.

    Amounts have so many `places`, or more where they have more.
    """
    cells_of = lru_cache(KEPT_TERMS)(partial(_cells, places))
    yield 0, csv_bytes([OWN + TERMS])
    columns = ("code", "live", "active", "num_usage")
    for rows in coupons.slices_of_batch(columns, batch_id, SLICE):
        lines = (
            (
                escape_formula(code),
                schemas.ACTIVE if live else schemas.ARCHIVED,
                1 if active else 0,
                uses,
                *cells_of(terms_id),
            )
            for code, live, active, uses, terms_id in rows
        )
        yield len(rows), csv_bytes(lines)


def _cells(places: int, terms_id: int) -> tuple[str, ...]:
    terms = Terms.by_id(terms_id)
    return tuple(escape_formula(_cell(getattr(terms, name), places)) for name in TERMS)


def _cell(value: Any, places: int) -> str:
    if isinstance(value, dict):
        return ",".join(value)
    if isinstance(value, Decimal):
        return amount_text(value, places)
    return value.isoformat() if isinstance(value, date) else "" if value is None else str(value)
