"""The engines that a store can be on, and where they differ."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

from peewee import DataError, MySQLDatabase, PostgresqlDatabase
from playhouse.pool import PooledMySQLDatabase, PooledPostgresqlDatabase

from models.patience import PatientSqlite

DEAD_PEER_SECONDS = 30
"""A server that does not even acknowledge what it is sent for so long is gone."""
KEPT_ALIVE_SECONDS = 30
"""How long a connection is silent before the engine asks whether the server is there."""


class Waiting:
    """Say for how long a writer waits for another one."""

    wait_seconds: int

    def waiting(self, seconds: int) -> Self:
        """Set that, and return the engine."""
        self.wait_seconds = seconds
        return self


class Sqlite(Waiting, PatientSqlite):
    """A file of this host: one writer at a time, which waits at the start of its transaction."""

    snapshot_mode = "DEFERRED"

    def gives_up(self, problem: BaseException) -> bool:
        """Tell whether a transaction was ended for the sake of another: never here."""
        return False

    def reserve_ids(self, table: str, last: int) -> None:
        """Number new rows above an id that was given by hand: done by the engine itself."""

    def prepare(self) -> None:
        """Make the database fit for the tables: it always is."""


class Postgresql(Waiting, PooledPostgresqlDatabase):
    """PostgreSQL through psycopg 3; integers have 64 bits, as they have on SQLite."""

    field_types = PostgresqlDatabase.field_types | {"AUTO": "BIGSERIAL", "INT": "BIGINT"}
    snapshot_mode = "REPEATABLE READ READ ONLY"
    # serialization failure, deadlock, waited too long for a lock
    given_up = frozenset({"40001", "40P01", "55P03"})

    def gives_up(self, problem: BaseException) -> bool:
        """Tell whether a transaction was ended for the sake of another."""
        return any(getattr(each, "sqlstate", None) in self.given_up for each in _causes(problem))

    def __del__(self) -> None:
        """Close what the pool of an engine that was dropped still holds, as psycopg wants it."""
        with suppress(Exception):
            self.close_all()

    def _connect(self) -> Any:
        from psycopg.adapt import Loader

        class Whole(Loader):
            def load(self, data: Any) -> int:
                return int(bytes(data))

        connection = super()._connect()
        connection.adapters.register_loader("numeric", Whole)  # sums: no column is of this type
        return connection

    def execute_sql(self, sql: str, params: Sequence[Any] | None = None) -> Any:
        """Run a statement; its texts have U+FFFD for NUL, which this engine takes in no text."""
        try:
            return super().execute_sql(sql, params)
        except DataError:
            # The driver noticed before anything was sent.
            if not any(isinstance(each, str) and "\0" in each for each in params or []):
                raise
        plain = [
            each.replace("\0", "\ufffd") if isinstance(each, str) else each for each in params or []
        ]
        return super().execute_sql(sql, plain)

    def reserve_ids(self, table: str, last: int) -> None:
        """Number new rows above an id that was given by hand; the sequence would not notice."""
        self.execute_sql(
            "SELECT setval(sequence, %s) FROM pg_get_serial_sequence(%s, 'id') AS sequence "
            "WHERE coalesce(pg_sequence_last_value(sequence::regclass), 0) < %s",
            (last, table, last),
        )

    def prepare(self) -> None:
        """Make the database fit for the tables: it always is."""


class Mariadb(Waiting, PooledMySQLDatabase):
    """MariaDB through PyMySQL; integers and texts are as wide as they are on SQLite."""

    field_types = MySQLDatabase.field_types | {
        "AUTO": "BIGINT AUTO_INCREMENT",
        "INT": "BIGINT",
        "TEXT": "LONGTEXT",
        "BLOB": "LONGBLOB",
    }
    safe_create_index = True  # MariaDB knows IF NOT EXISTS, MySQL did not
    collation = "utf8mb4_nopad_bin"  # letter for letter, and a trailing blank is one
    snapshot_mode = "REPEATABLE READ, READ ONLY"
    # changed since it was read, not prepared (a node of a cluster), waited too long, deadlock or
    # failed certification
    given_up = frozenset({1020, 1047, 1205, 1213})

    def gives_up(self, problem: BaseException) -> bool:
        """Tell whether a transaction was ended for the sake of another."""
        return any(each.args and each.args[0] in self.given_up for each in _causes(problem))

    def reserve_ids(self, table: str, last: int) -> None:
        """Number new rows above an id that was given by hand: done by the engine itself."""

    def prepare(self) -> None:
        """Make the database fit for the tables: their texts are compared as it says."""
        self.execute_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {self.collation}")

    def _connect(self) -> Any:
        connection = super()._connect()
        # PyMySQL has no option for it; without it a host that vanished is waited for by the hour.
        wire: socket.socket = connection._sock
        if wire.family != socket.AF_UNIX:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEPT_ALIVE_SECONDS)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_SECONDS * 1000)
        return connection


def _causes(problem: BaseException) -> list[BaseException]:
    """Return an error of the driver and those in whose wake it came.

    A savepoint cannot be undone in a transaction that is over: that error hides the telling one.
    """
    found: list[BaseException] = []
    at: BaseException | None = problem
    while isinstance(at, Exception):
        found.append(at)
        at = at.__context__
    return found


Engine = Sqlite | Postgresql | Mariadb
