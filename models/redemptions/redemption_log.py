"""List redemptions, newest first, filtered."""

from __future__ import annotations

from typing import Any

from models.redemptions.redemptions import Redemption
from models.store import visibility
from models.store.prepared import Listing

CONDITIONS = {
    "code": Redemption.code.__eq__,
    "batch_id": Redemption.batch_id.__eq__,
    "client_id": Redemption.client_id.__eq__,
    "invoice_id": Redemption.invoice_id.__eq__,
    "since": Redemption.redeemed_at.__ge__,
    "before": Redemption.redeemed_at.__lt__,
}
"""What the log can be narrowed down by; `since` and `before` are Unix seconds."""


def total(**wanted: Any) -> int:
    """Return how many redemptions meet the CONDITIONS that are named."""
    return int(_filtered(wanted).count())


def newest(page: int, per_page: int, total: int, **wanted: Any) -> list[Redemption]:
    """Return a page, counted from 0, of the `total` redemptions that meet the CONDITIONS."""
    found = Listing(lambda: _filtered(wanted), Redemption.id).page(total, page, per_page)
    return [Redemption.of_row(row) for row in found.rows()]


def _filtered(wanted: dict[str, Any]) -> Any:
    # With a condition, its index is the narrow one, not that of the realm.
    realm = Redemption.realm + 0 if wanted else Redemption.realm
    conditions = [CONDITIONS[name](value) for name, value in wanted.items()]
    return Redemption.select().where(realm == visibility.LEGACY, *conditions)
