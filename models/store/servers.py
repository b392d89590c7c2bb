"""Engines that are servers: PostgreSQL and MariaDB."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

from peewee import DataError, MySQLDatabase, PostgresqlDatabase
from playhouse.pool import PooledMySQLDatabase, PooledPostgresqlDatabase

from models.store.engine import Server
from models.store.hosts import Address, Hosts

DEAD_PEER_SECONDS = 30
"""A server that does not even acknowledge what it is sent for so long is gone."""
KEPT_ALIVE_SECONDS = 30
"""How long a connection is silent before the engine asks whether the server is there."""

NOT_PREPARED = frozenset({1047})
"""What a node answers that is not, or no longer, a part of its cluster."""
FIRST_OF_DRIVER = 2000
"""Errors with lower numbers come from a server, which can be reached then."""


class Postgresql(Server, PooledPostgresqlDatabase):
    """Use PostgreSQL through psycopg 3; integers have 64 bits, as on SQLite."""

    field_types = PostgresqlDatabase.field_types | {"AUTO": "BIGSERIAL", "INT": "BIGINT"}
    snapshot_mode = "REPEATABLE READ READ ONLY"
    last_id_sql = "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)"
    # serialization failure, deadlock, waited too long for a lock
    conflict_codes = frozenset({"40001", "40P01", "55P03"})
    lost_codes = frozenset({"57P01", "57P02", "57P03"})  # being stopped, crashed, being started

    def _is_broken(self, connection: Any) -> bool:
        return bool(connection.closed)

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
        """Number new rows above an id that was inserted: the sequence does not see it."""
        self.execute_sql(
            "SELECT setval(sequence, %s) FROM pg_get_serial_sequence(%s, 'id') AS sequence "
            "WHERE coalesce(pg_sequence_last_value(sequence::regclass), 0) < %s",
            (last, table, last),
        )

    def number_above(self, table: str, last: int) -> None:
        """Number new rows above an id, or above a higher one that was given."""
        self.reserve_ids(table, last)


class MariadbServers(MySQLDatabase):
    """Connect to the first of several servers that takes a connection."""

    hosts = Hosts(())

    def with_hosts(self, addresses: Sequence[Address]) -> Self:
        """Set the servers, where they are several, and return the engine."""
        self.hosts = Hosts(addresses)
        return self

    def _connect(self) -> Any:
        addresses: list[Address | None] = [*self.hosts.in_order()] or [None]
        for address in addresses[:-1]:
            with suppress(Exception):  # whatever it is, another may do
                return self._open(address)
        return self._open(addresses[-1])

    def _open(self, address: Address | None) -> Any:
        from models.store.mariadb_connection import Connection

        given = {"database": self.database, "autocommit": True} | self.connect_params
        if address:
            given |= {"host": address[0], "port": address[1]}
        try:
            connection = Connection(**given, read_timeout=given["connect_timeout"])
        except Exception:
            self.hosts.mark_away(address)
            raise
        self.hosts.mark_reachable(address)
        connection._read_timeout = None  # that was for the greetings alone
        connection.is_reachable = lambda: self._is_reachable(address)
        # PyMySQL has no option for it; without it a host that vanished is waited for by the hour.
        sock: socket.socket = connection._sock
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEPT_ALIVE_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_SECONDS * 1000)
        return connection

    def _is_reachable(self, address: Address | None) -> bool:
        """Tell whether the server of a connection still takes others."""
        if self.hosts.is_away(address):
            return False
        try:
            self._open(address).close()
        except Exception as problem:  # noqa: BLE001  # also what is no error of the driver
            code = problem.args[0] if problem.args else None
            return isinstance(code, int) and code < FIRST_OF_DRIVER
        return True


class Mariadb(Server, PooledMySQLDatabase, MariadbServers):
    """Use MariaDB through PyMySQL; integers and texts are as wide as on SQLite."""

    field_types = MySQLDatabase.field_types | {
        "AUTO": "BIGINT AUTO_INCREMENT",
        "INT": "BIGINT",
        "TEXT": "LONGTEXT",
        "BLOB": "LONGBLOB",
    }
    safe_create_index = True  # MariaDB knows IF NOT EXISTS, MySQL did not
    collation = "utf8mb4_nopad_bin"  # letter for letter, and a trailing blank is one
    snapshot_mode = "REPEATABLE READ, READ ONLY"
    last_id_sql = (
        "SELECT auto_increment - 1 FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = %s"
    )
    share_lock = "LOCK IN SHARE MODE"
    whole_division = "div"  # in capitals peewee takes it for its own division
    # changed since it was read, waited too long, deadlock or failed certification
    conflict_codes = frozenset({1020, 1205, 1213})
    # a node that is no part of its cluster, that is being stopped, that left the cluster before it
    # could commit; connections that were ended or lost
    lost_codes = NOT_PREPARED | frozenset({1053, 1180, 1927, 2006, 2013, 2055})

    def close_broken(self, problem: BaseException) -> bool:
        """Close this thread's connection if the error broke it; tell whether."""
        if not self.is_closed() and self._has_code(problem, NOT_PREPARED):
            self.hosts.mark_away(_address(self.connection()))
        return super().close_broken(problem)

    def prepare(self) -> None:
        """Set the collation of the database, which its tables take over."""
        self.execute_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {self.collation}")

    def number_above(self, table: str, last: int) -> None:
        """Number new rows above an id, or above a higher one that was given."""
        if last > self.last_id(table):
            self.execute_sql(f"ALTER TABLE `{table}` AUTO_INCREMENT = {last + 1}")

    def _is_closed(self, connection: Any) -> bool:
        away = self.hosts.is_away(_address(connection))
        return away or bool(super()._is_closed(connection))

    def _is_broken(self, connection: Any) -> bool:
        return not connection.open


def _address(connection: Any) -> Address:
    return connection.host, connection.port
