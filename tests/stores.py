"""The stores of the tests: a file for each folder, or a clean database of the engine that
PROMOBRIDGE_TEST_DATABASE_URL picks, by its name (postgresql, mariadb) or by the URL of a server."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from peewee import Database, OperationalError

from app import db
from app.config import Settings
from app.exchange import private_files, saved_answers
from models.store import schema
from models.store.base import Row, database
from models.store.servers import Mariadb
from models.store.sqlite import Sqlite
from tests.engine_servers import (
    EngineServer,
    mariadb,
    mariadb_server,
    postgresql,
    postgresql_server,
)

PICKED = os.environ.get("PROMOBRIDGE_TEST_DATABASE_URL") or "sqlite"
SQLITE = PICKED == "sqlite"
about_sqlite = pytest.mark.skipif(not SQLITE, reason="about SQLite itself")
"""Marks tests of what other engines do not have: a file with its mode, plans and SQL of its own."""
about_servers = pytest.mark.skipif(SQLITE, reason="about a server: SQLite has none")
"""Marks tests that stop and start a server of the engine."""
ADMINISTRATED = {"postgresql": "postgres", "mysql": "mysql"}
"""A database that each engine has, to make others from."""
MANY_ROWS, MANY_BYTES = 2000, 1 << 20
"""What is forgotten with its table rather than row by row."""
KEPT = {"schema_migration", "tally", "sweep"}
REFERENCED = {"terms"}
_FILLED: dict[tuple[str, ...], sqlite3.Connection] = {}
OURS = "relkind = 'r' AND relnamespace = 'public'::regnamespace"


def url(folder: Path) -> str:
    """Return the URL of the store of a folder; it is clean when it is first asked for."""
    return f"sqlite:///{folder}/store.db" if SQLITE else _SERVER.url(folder)


def bare_url(folder: Path) -> str:
    """Return the URL of a store without a schema, not that of the folder on other engines."""
    return f"sqlite:///{folder}/store.db" if SQLITE else _SERVER.made()


def make(url: str) -> None:
    """Put the tables into a store that is new; databases of a server come with theirs."""
    if SQLITE:
        file = Path(url.removeprefix(db.SQLITE))
        private_files.create(file)  # with the mode that a store has
        file.write_bytes(_made_file())


@cache
def _made_file() -> bytes:
    """Return what the file of a new store holds; to make it takes longer than most tests do."""
    with tempfile.TemporaryDirectory(prefix="promobridge-tests-") as folder:
        _with_schema(f"sqlite:///{folder}/store.db")
        return Path(folder, "store.db").read_bytes()


def fill(*files: str) -> None:
    """Store files of saved answers in the bound store, which is new.

    What a file of SQLite then holds is kept and copied to the next: that is far less work.
    """
    if files in _FILLED:
        _FILLED[files].backup(database.connection())
        return
    saved_answers.store_files([*files])
    if SQLITE:
        _FILLED[files] = sqlite3.connect(":memory:")
        database.connection().backup(_FILLED[files])


def release(folder: Path) -> None:
    """Let others have the databases of a folder and of those in it."""
    if not SQLITE:
        _SERVER.release(folder)


def stop() -> None:
    """Drop what was made, and end the server."""
    while _FILLED:
        _FILLED.popitem()[1].close()
    if not SQLITE:
        _SERVER.stop()


@contextmanager
def own_server() -> Iterator[EngineServer]:
    """Run another server of the engine, for a test alone."""
    with postgresql_server() if PICKED.startswith("postgres") else mariadb_server() as server:
        yield server


def database_of(server: EngineServer) -> str:
    """Make an empty database on a server of a test, and return its URL."""
    scheme, name = urlsplit(server.url).scheme, "promobridge"
    with session(f"{server.url}{ADMINISTRATED[scheme]}") as admin:
        admin.execute_sql(f"CREATE DATABASE {name}")
    return f"{server.url}{name}"


@contextmanager
def session(url: str) -> Iterator[Any]:
    """Open a store beside the models, as another program does."""
    database = db.opened(url, Settings())
    try:
        with database.connection_context():
            yield database
    finally:
        database.close_all()


@contextmanager
def written(url: str) -> Iterator[None]:
    """Let another program be in the middle of a change that whoever counts rows must wait for."""
    with session(url) as database, database.atomic() as transaction:
        database.execute_sql("UPDATE tally SET n = n")
        yield
        transaction.rollback()


def is_written(url: str) -> bool:
    """Tell whether another program is in a transaction that writes."""
    with session(url) as database:
        if isinstance(database, Sqlite):
            database.execute_sql("PRAGMA busy_timeout = 0")
            try:
                database.execute_sql("BEGIN IMMEDIATE")
            except OperationalError:
                return True
            database.execute_sql("ROLLBACK")
            return False
        if isinstance(database, Mariadb):
            # Not information_schema.innodb_trx: it says the same until nobody has asked for 0.1 s.
            status = database.execute_sql("SHOW ENGINE INNODB STATUS").fetchone()[2]
            return "undo log entries" in status.rpartition("\nTRANSACTIONS\n")[2]
        active = (
            "SELECT COUNT(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_xid IS NOT NULL"
        )
        return bool(database.execute_sql(active).fetchone()[0])


def contents(url: str) -> bytes:
    """Return all that a store holds, and from a file what it held before, too."""
    if SQLITE:
        file = Path(url.removeprefix("sqlite:///"))
        return b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*"))
    with session(url) as database:
        tables = [list(database.execute_sql(f"SELECT * FROM {t}")) for t in database.get_tables()]
    return repr(tables).encode()


class Server:
    """Keep databases of one server: each is used by many tests, one after the other."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._base = ""
        self._admin: Any = None
        self._made = 0
        self._taken: dict[Path, str] = {}
        self._free: list[str] = []
        self._cleaners: dict[str, Any] = {}

    def url(self, folder: Path) -> str:
        """Return the URL of the folder's database."""
        if folder not in self._taken:
            url = self._free.pop() if self._free else ""
            if not url or not self._cleaned(url):
                url = self.made()
                _with_schema(url)
            self._taken[folder] = url
        return self._taken[folder]

    def made(self) -> str:
        """Return the URL of a new, empty database."""
        if self._admin is None:
            self._start()
        self._made += 1
        name = f"promobridge_tests_{os.getpid()}_{self._made}"
        self._admin.execute_sql(f"CREATE DATABASE {name}")
        self._stack.callback(self._drop, name)
        return self._named(name)

    def release(self, folder: Path) -> None:
        """Take back the databases of a folder and of those in it."""
        for each in [each for each in self._taken if each.is_relative_to(folder)]:
            self._free.append(self._taken.pop(each))

    def stop(self) -> None:
        """Drop the databases, and end the server if it is ours."""
        self._stack.close()

    def _start(self) -> None:
        own = {"postgresql": postgresql, "mariadb": mariadb, "mysql": mariadb}.get(PICKED)
        self._base = self._stack.enter_context(own()) if own else PICKED
        scheme = urlsplit(self._base).scheme
        self._admin = db.opened(self._named(ADMINISTRATED[scheme]), Settings())
        self._stack.callback(self._admin.close_all)

    def _cleaned(self, url: str) -> bool:
        """Clean a database; return whether that could be done."""
        if url not in self._cleaners:
            # Its connection is kept: a new one costs PostgreSQL more than all the rest does.
            self._cleaners[url] = db.opened(url, Settings())
            self._stack.callback(self._cleaners[url].close_all)
        with self._cleaners[url].connection_context():
            return _cleaned(self._cleaners[url])

    def _named(self, name: str) -> str:
        return urlunsplit(urlsplit(self._base)._replace(path=f"/{name}"))

    def _drop(self, name: str) -> None:
        force = "" if isinstance(self._admin, Mariadb) else " WITH (FORCE)"
        self._admin.execute_sql(f"DROP DATABASE {name}{force}")


_SERVER = Server()


def _with_schema(url: str) -> None:
    with session(url) as database:
        schema.upgrade(database)


def _cleaned(database: Any) -> bool:
    """Forget all rows but those that migrations make, and number new ones from 1.

    Return whether that could be done: a test may have damaged the tables.
    """
    end_others(database)
    wanted = {model._meta.table_name for model in _models(Row)} | {"schema_migration"}
    if wanted - set(database.get_tables()):
        return False
    (applied,) = database.execute_sql("SELECT COUNT(*) FROM schema_migration").fetchone()
    if applied != len(list(schema.MIGRATIONS.glob("0*.py"))):
        return False
    _empty_mariadb(database) if isinstance(database, Mariadb) else _empty_postgresql(database)
    database.execute_sql("UPDATE tally SET n = 0")
    return True


def _models(model: type[Row]) -> list[type[Row]]:
    return [each for sub in model.__subclasses__() for each in (sub, *_models(sub))]


def end_others(database: Database) -> None:
    """End sessions that a killed process may have left in a transaction."""
    run = database.execute_sql
    if isinstance(database, Mariadb):
        here = "db = DATABASE() AND id <> CONNECTION_ID()"
        for (each,) in run(f"SELECT id FROM information_schema.processlist WHERE {here}"):
            with suppress(OperationalError):  # it may end by itself
                run(f"KILL {each}")
    else:
        run(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _empty_postgresql(database: Database) -> None:
    run = database.execute_sql
    sizes = dict(run(f"SELECT relname, pg_relation_size(oid) FROM pg_class WHERE {OURS}"))
    for table in sorted(sizes.keys() - KEPT, key=REFERENCED.__contains__):
        run(f"TRUNCATE {table} CASCADE" if sizes[table] > MANY_BYTES else f"DELETE FROM {table}")
    own = "relkind = 'S' AND relname NOT LIKE 'schema_migration%%'"
    run(f"SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE {own}")


def _empty_mariadb(database: Database) -> None:
    run = database.execute_sql
    tables = "information_schema.tables WHERE table_schema = DATABASE()"
    numbers = dict(run(f"SELECT table_name, auto_increment FROM {tables}"))
    run("SET foreign_key_checks = 0")
    for table in numbers.keys() - KEPT:
        next_id = numbers[table]
        if next_id == 1:  # it never had a row
            continue
        run(f"TRUNCATE {table}" if (next_id or 0) > MANY_ROWS else f"DELETE FROM {table}")
        if next_id:
            run(f"ALTER TABLE {table} AUTO_INCREMENT = 1")
