"""Bind the store to the database that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from peewee import OperationalError

from app import database_url
from app.config import BadSetting, Settings, variable
from app.exchange import private_files
from models.store import own_ids, schema
from models.store.base import database
from models.store.engine import Engine
from models.store.sqlite import Sqlite

if TYPE_CHECKING:
    from flask import Flask, Response

SQLITE = "sqlite:///"
SQLITE_PRAGMAS = {
    "journal_mode": "wal",  # readers go on while one writes
    "synchronous": "full",  # an answered write survives a power cut, not only a crash
    "foreign_keys": 1,
    "cache_size": -65536,
}


def bind(settings: Settings) -> Engine:
    """Bind the models to the database of the settings. Raises BadSetting for a URL of no use."""
    bound = opened(settings.database_url, settings)
    database.initialize(bound)
    return bound


def opened(url: str, settings: Settings, name: str = variable("database_url")) -> Engine:
    """Return the database that a URL names, with a pool of connections; the models stay as bound.

    `name` is what refusals call the URL. Raises BadSetting for a URL of no use, and
    OperationalError when the file that it names cannot be made.
    """
    if database_url.scheme(url) != "sqlite":
        return database_url.engine(url, settings.database_timeout_seconds, name)
    path = url.removeprefix(SQLITE)
    if path in (url, ""):
        raise BadSetting(f"{name} needs a file: {SQLITE}FILE (relative), {SQLITE}/FILE (absolute)")
    if path == ":memory:":
        raise BadSetting(f"{name}: a store in memory cannot be shared")
    _make_private(path)
    return Sqlite(
        path,
        pragmas={"busy_timeout": settings.database_timeout_seconds * 1000} | SQLITE_PRAGMAS,
        lock_type="IMMEDIATE",  # a writer waits at BEGIN, where waiting can still succeed
        check_same_thread=False,  # the pool hands a connection to one thread at a time
        max_connections=0,
    ).waiting(settings.database_timeout_seconds)


def _make_private(path: str) -> None:
    """Make the file before SQLite does: it and the WAL beside it are for their owner only."""
    try:
        private_files.create(Path(path))
    except OSError as problem:
        raise OperationalError(f"The database file cannot be opened: {problem.strerror}") from None


def init_app(app: Flask, settings: Settings) -> None:
    """Bind the store and refuse another schema."""
    bound = bind(settings)
    with bound.connection_context():
        require_ready(settings)
    # What was opened here must not be shared with workers that are forked later.
    bound.close_all()


def require_ready(settings: Settings) -> None:
    """Refuse another schema; keep the ids of a panel free before anybody makes a row.

    Raises SchemaMismatch.
    """
    schema.require_current()
    if settings.panel_url:
        own_ids.reserve()


def connect() -> None:
    """Open a connection for a request; for `before_request` of what needs the store."""
    database.connect(reuse_if_open=True)


def release_at_end(response: Response) -> Response:
    """Release the connection when the answer is sent: a large one is read until then."""
    response.call_on_close(database.close)
    return response
