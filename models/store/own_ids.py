"""Ids of rows that are made here, apart from those that another installation gives."""

from __future__ import annotations

from peewee import BigIntegerField, CharField

from models.store.base import Row, change, database
from models.store.errors import Invalid

FIRST = 1_000_000_000
"""The first id of a row made here, in a store that has rows of another installation or a panel."""
LAST = 2**31 - 1
"""The last one: integrations read ids as integers of 32 bits."""
TABLES = ("batch", "coupon")
"""Those whose rows another installation has too."""
USED_UP = f"A row made here would get an id over {LAST:,}, which integrations cannot read"


class OwnIds(Row):
    """Mark a table whose new rows are numbered from `first` on."""

    id = None
    name = CharField(max_length=32, primary_key=True)
    first = BigIntegerField()


def reserve() -> None:
    """Give rows that are made here from now on ids from FIRST on, for good.

    Not inside a transaction. Done again it does nothing: what was broken off is made whole.
    """
    if OwnIds.select().count() == len(TABLES):
        return
    for table in TABLES:
        database.number_above(table, FIRST - 1)
    with change():
        rows = [{"name": table, "first": FIRST} for table in TABLES]
        OwnIds.insert_many(rows).on_conflict_ignore().execute()


def reserved() -> bool:
    """Tell whether ids below FIRST are those of another installation."""
    return bool(OwnIds.select().count())


def check(last: int | None) -> None:
    """Refuse an id that was given over LAST; inside the transaction. Raises Invalid."""
    if last is not None and last > LAST:
        raise Invalid(USED_UP, "ids_used_up")
