"""Kept counts of rows, changed in the transaction that changes the rows."""

from __future__ import annotations

from peewee import BigIntegerField, CharField

from models.store import visibility
from models.store.base import Row
from models.store.prepared import Prepared, slot

BATCHES = "batches"
COUPONS = "coupons"
SINGLE_COUPONS = "single_coupons"
CAMPAIGN_COUPONS = "campaign_coupons"
"""Those that the legacy API does not see."""


class Tally(Row):
    """Keep one count, so that a list has its length without a scan."""

    id = None
    name = CharField(max_length=32, primary_key=True)
    n = BigIntegerField(default=0)


def count(name: str) -> int:
    """Return the kept count."""
    row = _count.first(name=name)
    return row[0] if row else 0


def of_coupons(realm: int) -> str:
    """Return the name of the count of the coupons in a realm."""
    return COUPONS if realm == visibility.LEGACY else CAMPAIGN_COUPONS


def coupons_of_all() -> int:
    """Return how many coupons there are in all realms."""
    return count(COUPONS) + count(CAMPAIGN_COUPONS)


def add(name: str, n: int) -> None:
    """Add n, which may be negative, to the kept count."""
    if n:
        Tally.update(n=Tally.n + n).where(Tally.name == name).execute()


_count = Prepared(lambda: Tally.select(Tally.n).where(Tally.name == slot("name")))
