"""Queries on the request path: written with peewee, compiled once, then only run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from peewee import Value

from models.base import database


class Slot:
    """Stand in a query for a value that each run brings."""

    def __init__(self, name: str) -> None:
        self.name = name


def slot(name: str) -> Value:
    """Return a placeholder to compare a column with."""
    return Value(Slot(name), converter=False)


def slots(count: int) -> list[Value]:
    """Return placeholders for a list of values; `numbered_slots` fills them."""
    return [slot(f"value_{at}") for at in range(count)]


def numbered_slots(values: Sequence[Any]) -> dict[str, Any]:
    """Return the values under the names of as many `slots`."""
    return {f"value_{at}": value for at, value in enumerate(values)}


class Prepared:
    """Hold a query as SQL text, made at its first run: compiling costs more than most runs.

    Rows come as the driver gives them: booleans may be 0 and 1, JSON is text.
    """

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build
        self._compiled: dict[type, tuple[str, list[Any]]] = {}

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """Run the query with a value for each slot and return all rows."""
        return self._run(values).fetchall()

    def first(self, **values: Any) -> tuple[Any, ...] | None:
        """Run the query and return its first row, None without one."""
        return self._run(values).fetchone()

    def changed(self, **values: Any) -> int:
        """Run a change and return how many rows it found."""
        return int(self._run(values).rowcount)

    def added(self, **values: Any) -> int:
        """Run the INSERT of one row and return the id that it got."""
        cursor = self._run(values)
        return int(cursor.fetchone()[0] if database.returning_clause else cursor.lastrowid)

    def _run(self, values: dict[str, Any]) -> Any:
        engine = type(database.obj)
        if engine not in self._compiled:
            self._compiled[engine] = self._build().sql()
        sql, params = self._compiled[engine]
        return database.execute_sql(
            sql, [values[each.name] if isinstance(each, Slot) else each for each in params]
        )
