"""List redemptions, newest first, filtered."""

from __future__ import annotations

from functools import cache
from typing import Any

from peewee import fn

from models.redemptions.redemptions import Redemption
from models.store import visibility
from models.store.paging import window
from models.store.prepared import Prepared, slot

CONDITIONS = {
    "code": Redemption.code == slot("code"),
    "batch_id": Redemption.batch_id == slot("batch_id"),
    "client_id": Redemption.client_id == slot("client_id"),
    "invoice_id": Redemption.invoice_id == slot("invoice_id"),
    "since": Redemption.redeemed_at >= slot("since"),
    "before": Redemption.redeemed_at < slot("before"),
}
"""What the log can be narrowed down by; `since` and `before` are Unix seconds."""


def total(**wanted: Any) -> int:
    """Return how many redemptions meet the CONDITIONS that are named."""
    row = _counted(_names(wanted)).first(**wanted)
    return row[0] if row else 0


def newest(page: int, per_page: int, count: int, **wanted: Any) -> list[Redemption]:
    """Return a page, counted from 0, of the `count` redemptions that meet the CONDITIONS."""
    down, up = (_ordered(_names(wanted), newest) for newest in (True, False))
    found = window(down.found, up.found, count, page, per_page, **wanted)
    return [Redemption.of_row(row) for row in found.rows()]


def _names(wanted: dict[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in CONDITIONS if name in wanted)


def _narrowed(query: Any, names: tuple[str, ...]) -> Any:
    # With a condition, its index is the narrow one, not that of the realm.
    realm = Redemption.realm + 0 if names else Redemption.realm
    return query.where(realm == visibility.LEGACY, *(CONDITIONS[name] for name in names))


@cache
def _counted(names: tuple[str, ...]) -> Prepared:
    return Prepared(lambda: _narrowed(Redemption.select(fn.COUNT(Redemption.id)), names))


@cache
def _ordered(names: tuple[str, ...], newest: bool) -> Prepared:
    order = Redemption.id.desc() if newest else Redemption.id.asc()
    return Prepared(
        lambda: (
            _narrowed(Redemption.select(), names)
            .order_by(order)
            .limit(slot("limit"))
            .offset(slot("offset"))
        )
    )
