"""Base of all tables: the bound database, transactions, retries and field types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar

from peewee import (
    SQL,
    AutoField,
    CharField,
    DatabaseProxy,
    Model,
    NodeList,
    OperationalError,
    PeeweeException,
    SqliteDatabase,
    TextField,
)

from models.store import clock
from models.store.errors import Busy

ATTEMPTS = 100
"""How often an operation is tried, for as long as a writer may wait for another one."""
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.002, 0.5
Params = ParamSpec("Params")
Result = TypeVar("Result")

database = DatabaseProxy()


class LastingId(AutoField):
    """Number rows so that the id of a deleted row is never reused, on SQLite too.

    What is kept or recorded by an id would otherwise pass to a row made later.
    """

    def ddl(self, ctx: Any) -> Any:
        """Return the column's definition."""
        nodes = super().ddl(ctx)
        sqlite = isinstance(self.model._meta.database, SqliteDatabase)
        return NodeList((nodes, SQL("AUTOINCREMENT"))) if sqlite else nodes


class Row(Model):
    """Bind a table to the one database of the process."""

    id = LastingId()

    class Meta:
        database = database
        legacy_table_names = False

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Self:
        """Return the model that a row of all columns holds, as a Prepared brings it."""
        fields = cls._meta.sorted_fields
        # Without the defaults, which would all be overwritten.
        made = cls(__no_default__=True)
        for field, value in zip(fields, row, strict=True):
            made.__data__[field.name] = field.python_value(value)
        return made

    def cells(self) -> dict[str, Any]:
        """Return the value of each column by the name of its field, as a Prepared takes it."""
        return {
            field.name: field.db_value(self.__data__.get(field.name))
            for field in self._meta.sorted_fields
        }


class DecimalText(CharField):
    """Keep a Decimal as its text: SQLite would turn a DECIMAL column into floats."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=32, **options)

    def db_value(self, value: Decimal | None) -> str | None:
        """Return the plain digits without trailing zeros."""
        return None if value is None else plain(value)

    def python_value(self, value: str | None) -> Decimal | None:
        """Return the Decimal that was stored."""
        return None if value is None else Decimal(value)


class JSONText(TextField):
    """Keep a JSON value as text with its keys in their order, which a jsonb column would lose."""

    def db_value(self, value: Any) -> str | None:
        """Return compact JSON; None is its null where the column must have a value."""
        return None if value is None and self.null else json.dumps(value, separators=(",", ":"))

    def python_value(self, value: str | None) -> Any:
        """Return the value with objects as dicts in the stored order."""
        return None if value is None else json.loads(value)


def plain(value: Decimal) -> str:
    """Return a Decimal as digits without exponent and without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@contextmanager
def change() -> Iterator[Any]:
    """Open the transaction of one operation; it takes the write lock at once on SQLite.

    Inside another it is a part that can be undone alone. Raises Busy when the engine ended the
    transaction for the sake of another, or its connection was lost before the end: see `retried`.
    Raises OutcomeUnknown when it was lost at the end.
    """
    outermost = not database.in_transaction()
    ending = False
    try:
        with database.atomic() as transaction:
            yield transaction
            ending = True
    except PeeweeException as problem:
        if not outermost:
            raise
        lost = database.close_broken(problem)
        if database.ended_for_another(problem) or (lost and not ending):
            raise Busy from problem
        if lost:
            raise OutcomeUnknown("The connection was lost while a change was stored") from problem
        raise


class OutcomeUnknown(OperationalError):
    """Say that it is unknown whether a change is stored: the connection was lost at the commit."""


def retried(operation: Callable[Params, Result]) -> Callable[Params, Result]:
    """Retry an operation whose one `change` raised Busy.

    The whole transaction is run again, so inside another one this does nothing.
    Raises Busy when that does not help.
    """
    return _run_again(operation, (Busy,))


def repeatable(operation: Callable[Params, Result]) -> Callable[Params, Result]:
    """Retry, also after OutcomeUnknown, an operation that finds what it stored before."""
    return _run_again(operation, (Busy, OutcomeUnknown))


def _run_again(
    operation: Callable[Params, Result], reasons: tuple[type[Exception], ...]
) -> Callable[Params, Result]:
    @wraps(operation)
    def run(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        if database.in_transaction():
            return operation(*args, **kwargs)
        end = clock.elapsed() + database.wait_seconds
        for attempt in range(1, ATTEMPTS):
            try:
                return operation(*args, **kwargs)
            except reasons:
                if clock.elapsed() > end:
                    raise
                clock.pause(min(PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS))
        return operation(*args, **kwargs)

    return run


def locked(query: Any, **options: Any) -> Any:
    """Lock the rows that a query finds until the transaction ends.

    SQLite has no row locks: its transactions hold the whole store.
    """
    return query.for_update(**options) if database.for_update else query


def held(query: Any) -> Any:
    """Keep the rows that a query finds as they are until the transaction ends, as others may too.

    SQLite has no row locks: a transaction that writes holds the whole store.
    """
    return query.for_update(database.share_lock) if database.for_update else query


def delete_oldest(table: type[Row], moment: Any, before: int, most: int) -> int:
    """Delete up to `most` rows whose moment is before this one; return how many they were.

    Rows that another transaction holds are left out.
    """
    oldest = table.select(table.id).where(moment < before).order_by(moment).limit(most)
    ids = [row_id for (row_id,) in locked(oldest, skip_locked=True).tuples()]
    return int(table.delete().where(table.id.in_(ids)).execute()) if ids else 0


def snapshot() -> AbstractContextManager[Any]:
    """Open a transaction that only reads and sees one state of the store throughout."""
    return database.snapshot()
