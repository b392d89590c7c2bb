"""Export batches as CSV, one line for each code with its terms, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from app.exchange.csv_cells import BOM, csv_bytes, escape_formula, excel_text
from calls.wire import editing, schemas
from calls.wire.use_arguments import amount_text
from models.promotions import coupon_lists
from models.promotions.terms import Terms, ids_in
from models.redemptions import redemption_log

OWN = ("code", "status", "active", "uses")
FIRST_TERMS = (
    *("max_usage", "max_client_usage", "expires", "coupon_type", "type", "value", "applyto"),
    *("cycle", "clients", "client_id", "min_cart_amount", "prompt_cart_amount"),
    *("increase_in_days", "products", "categories", "domains", "addons", "forms", "cycles"),
    *("options", "upgrades", "firstname", "lastname", "notes"),
)
TERMS = tuple(dict.fromkeys((*FIRST_TERMS, *editing.TermsChange.described())))
"""The columns of a coupon itself, then those of its terms, named as in addPromoCode."""
USED_AT = "used_at"
BESIDE = ("id", USED_AT)
"""Columns that only who asks for them gets: no import takes them."""
COLUMNS = (*OWN, *BESIDE, *TERMS)
SLICE = 5000
"""Codes that are held in memory at once."""
KEPT_TERMS = 1000


def pieces(
    batch_id: int,
    names: Sequence[str] = OWN + TERMS,
    *,
    places: int = 0,
    header: bool = True,
    for_excel: bool = False,
) -> Iterator[tuple[int, bytes]]:
    """Yield a batch as CSV in UTF-8, the header first: (number of codes, bytes) by piece.

    `names` are columns of OWN, TERMS and BESIDE. Amounts have so many `places`, or more where they
    have more. `for_excel` puts a BOM before it, and keeps as text what Excel would read as
    something else.
    """

    def written(value: Any) -> Any:
        # Numbers are meant as numbers, also in a sheet.
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        text = _text(value, places)
        return excel_text(text) if for_excel else escape_formula(text)

    @lru_cache(KEPT_TERMS)
    def cells_of(terms_id: int) -> tuple[Any, ...]:
        terms = Terms.by_id(terms_id)
        return tuple(written(getattr(terms, name)) for name in TERMS)

    positions = [COLUMNS.index(name) for name in names]
    yield 0, (BOM if for_excel else b"") + (csv_bytes([names]) if header else b"")
    columns = ("id", "code", "live", "active", "num_usage")
    for rows in coupon_lists.slices_of_batch(columns, batch_id, SLICE):
        used: dict[int, int] = {}
        if USED_AT in names:
            used = redemption_log.last_uses(batch_id, rows[0][0], rows[-1][0])
        lines = (
            (
                written(code),
                schemas.ACTIVE if live else schemas.ARCHIVED,
                1 if active else 0,
                uses,
                coupon_id,
                written(_time(used.get(coupon_id))),
                *cells_of(terms_id),
            )
            for coupon_id, code, live, active, uses, terms_id in rows
        )
        yield len(rows), csv_bytes([line[at] for at in positions] for line in lines)


def _time(seconds: int | None) -> str:
    """Return Unix seconds as UTC text, as all commands do."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(value: Any, places: int) -> str:
    if isinstance(value, dict | list | bool):
        # Groups as they are decided by, whatever form an import brought them in.
        return ",".join(ids_in(value))
    if isinstance(value, Decimal):
        return amount_text(value, places)
    return value.isoformat() if isinstance(value, date) else "" if value is None else str(value)
