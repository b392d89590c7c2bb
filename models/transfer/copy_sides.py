"""Rows in a form that all engines share: read, written, and numbered on by each in its own way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from peewee import (  # type: ignore[attr-defined] # its stubs leave the wrapper out
    BooleanField,
    CharField,
    DateField,
    __exception_wrapper__,
    fn,
)

from models.store.base import LastingId, Row
from models.store.engines import Engine, Mariadb, Postgresql, Sqlite

Cells = tuple[Any, ...]
"""A row: whole numbers, texts, bytes, None; booleans are 0 and 1, dates texts, JSON as kept."""
DELETED = 20_000
"""How many rows one DELETE takes."""
LARGEST_ID = 2**63 - 1


class Side:
    """Stand for a store that is read from or written to in the shared form."""

    def __init__(self, store: Engine) -> None:
        self.store = store

    def rows(self, table: type[Row], after: Any, limit: int) -> list[Cells]:
        """Return up to `limit` rows that follow a key, None being before the first, in order."""
        found: Any = table.select(*(self._shared(field) for field in table._meta.sorted_fields))
        return self._run(self._following(found, table, after).limit(limit)).fetchall()

    def count(self, table: type[Row]) -> int:
        """Return how many rows a table has."""
        return int(self._run(table.select(fn.COUNT(table._meta.primary_key))).fetchone()[0])

    def cut(self, table: type[Row], after: Any) -> None:
        """Delete the rows that follow a key, a part of them in each transaction."""
        key = self._order(table._meta.primary_key)
        while True:
            following = self._following(table.select(table._meta.primary_key), table, after)
            last = self._run(following.limit(1).offset(DELETED - 1)).fetchone()
            gone: Any = table.delete()
            if after is not None:
                gone = gone.where(key > after)
            if last is not None:
                gone = gone.where(key <= last[0])
            self._run(gone)
            if last is None:
                return

    def write(self, table: type[Row], rows: Sequence[Cells]) -> None:
        """Insert rows. Raises what peewee raises for those that cannot be."""
        with __exception_wrapper__:
            self.store.cursor().executemany(self._insert(table), rows)

    def last_id(self, table: type[Row]) -> int:
        """Return the highest id that was ever given to a row, 0 where none was."""
        raise NotImplementedError

    def reserve_ids(self, table: type[Row], last: int) -> None:
        """Number new rows above an id, or above a higher one that was given here."""
        raise NotImplementedError

    def identity(self) -> Cells:
        """Return what two connections to the same database have in common, and no others."""
        raise NotImplementedError

    def finish(self) -> None:
        """Do what the engine needs after many rows have come."""

    def _shared(self, field: Any) -> Any:
        return field

    def _order(self, key: Any) -> Any:
        """Return the key as it is put in order: texts by their code points on every engine."""
        return key

    def _following(self, query: Any, table: type[Row], after: Any) -> Any:
        key = self._order(table._meta.primary_key)
        return (query if after is None else query.where(key > after)).order_by(key)

    def _insert(self, table: type[Row]) -> str:
        names = [field.column_name for field in table._meta.sorted_fields]
        left, right = tuple(self.store.quote)
        columns = ", ".join(f"{left}{name}{right}" for name in names)
        values = ", ".join([self.store.param] * len(names))
        name = f"{left}{table._meta.table_name}{right}"
        return f"INSERT INTO {name} ({columns}) VALUES ({values})"  # noqa: S608  # our own names

    def _run(self, query: Any) -> Any:
        return self.store.execute(query)

    def _value(self, sql: str, *values: Any) -> Any:
        row = self.store.execute_sql(sql, values).fetchone()
        return row[0] if row else None


class SqliteSide(Side):
    """A file of this host."""

    def last_id(self, table: type[Row]) -> int:
        """Return the highest id that was ever given to a row, 0 where none was."""
        name = table._meta.table_name
        return self._value("SELECT seq FROM sqlite_sequence WHERE name = ?", name) or 0

    def reserve_ids(self, table: type[Row], last: int) -> None:
        """Number new rows above an id, or above a higher one that was given here."""
        name = table._meta.table_name
        if self._value("SELECT 1 FROM sqlite_sequence WHERE name = ?", name) is None:
            self.store.execute_sql("INSERT INTO sqlite_sequence VALUES (?, 0)", (name,))
        self.store.execute_sql(
            "UPDATE sqlite_sequence SET seq = ? WHERE name = ? AND seq < ?", (last, name, last)
        )

    def identity(self) -> Cells:
        """Return the file's place, whatever path leads there."""
        (_, _, path) = self.store.execute_sql("PRAGMA database_list").fetchone()
        found = os.stat(path)
        return "sqlite", found.st_dev, found.st_ino


class PostgresqlSide(Side):
    """PostgreSQL: rows come by COPY, which takes a fraction of what an INSERT takes."""

    def write(self, table: type[Row], rows: Sequence[Cells]) -> None:
        """Insert rows. Raises what peewee raises for those that cannot be."""
        insert = self._insert(table)
        copy = insert[: insert.index(" VALUES")].replace("INSERT INTO", "COPY", 1) + " FROM STDIN"
        with __exception_wrapper__, self.store.cursor().copy(copy) as taken:
            for row in rows:
                taken.write_row(row)

    def last_id(self, table: type[Row]) -> int:
        """Return the highest id that was ever given to a row, 0 where none was."""
        last = "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)"
        return self._value(last, table._meta.table_name) or 0

    def reserve_ids(self, table: type[Row], last: int) -> None:
        """Number new rows above an id, or above a higher one that was given here."""
        self.store.reserve_ids(table._meta.table_name, last)

    def identity(self) -> Cells:
        """Return the running server and the database."""
        asked = "SELECT 'postgresql', pg_postmaster_start_time(), current_database()"
        return tuple(self.store.execute_sql(asked).fetchone())

    def finish(self) -> None:
        """Let the planner know what there is now."""
        self.store.execute_sql("ANALYZE")

    def _shared(self, field: Any) -> Any:
        if isinstance(field, BooleanField):
            return field.cast("integer")
        return fn.to_char(field, "YYYY-MM-DD") if isinstance(field, DateField) else field

    def _order(self, key: Any) -> Any:
        return key.collate('"C"') if isinstance(key, CharField) else key


class MariadbSide(Side):
    """MariaDB."""

    def last_id(self, table: type[Row]) -> int:
        """Return the highest id that was ever given to a row, 0 where none was."""
        following = self._value(
            "SELECT auto_increment FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = %s",
            table._meta.table_name,
        )
        return following - 1 if following else 0

    def reserve_ids(self, table: type[Row], last: int) -> None:
        """Number new rows above an id, or above a higher one that was given here."""
        if self.last_id(table) < last < LARGEST_ID:
            name = table._meta.table_name
            self.store.execute_sql(f"ALTER TABLE `{name}` AUTO_INCREMENT = {last + 1}")

    def identity(self) -> Cells:
        """Return the server's place and the database."""
        asked = "SELECT 'mariadb', @@hostname, @@port, @@datadir, DATABASE()"
        return tuple(self.store.execute_sql(asked).fetchone())

    def _shared(self, field: Any) -> Any:
        return field.cast("CHAR") if isinstance(field, DateField) else field


def side(store: Engine) -> Side:
    """Return what reads and writes a store in the shared form."""
    kinds: tuple[tuple[type[Any], type[Side]], ...] = (
        (Sqlite, SqliteSide),
        (Postgresql, PostgresqlSide),
        (Mariadb, MariadbSide),
    )
    return next(kind for engine, kind in kinds if isinstance(store, engine))(store)


def is_numbered(table: type[Row]) -> bool:
    """Tell whether the engine numbers the rows of a table."""
    return isinstance(table._meta.primary_key, LastingId)
