"""Bind the store to the database that the settings name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response
from peewee import OperationalError
from playhouse import db_url
from playhouse.pool import PooledDatabase

from app import private_files
from app.config import BadSetting, Settings, variable
from models import schema
from models.base import database
from models.patience import PatientSqlite

SQLITE_PRAGMAS = {
    "journal_mode": "wal",  # readers go on while one writes
    "synchronous": "full",  # an answered write survives a power cut, not only a crash
    "foreign_keys": 1,
    "cache_size": -65536,
}


def bind(settings: Settings) -> PooledDatabase:
    """Point the models at the database of the settings. Raises BadSetting for a URL of no use."""
    scheme = urlsplit(settings.database_url).scheme
    if scheme != "sqlite":
        raise BadSetting(f"{variable('database_url')} must begin with sqlite:///")
    db_url.register_database(PatientSqlite, "sqlite+pool")
    try:
        bound = db_url.connect(
            settings.database_url.replace("sqlite:", "sqlite+pool:", 1),
            pragmas={"busy_timeout": settings.database_timeout_seconds * 1000} | SQLITE_PRAGMAS,
            lock_type="IMMEDIATE",  # a writer waits at BEGIN, where waiting can still succeed
            check_same_thread=False,  # the pool hands a connection to one thread at a time
            max_connections=0,
        )
    except ValueError as problem:
        raise BadSetting(
            f"{variable('database_url')} needs a file: sqlite:///FILE (relative), "
            "sqlite:////FILE (absolute)"
        ) from problem
    _make_private(bound.database)
    database.initialize(bound)
    return bound


def _make_private(path: str) -> None:
    """Make the file before SQLite does: it and the WAL beside it are for their owner only."""
    if path == ":memory:":
        raise BadSetting(f"{variable('database_url')}: a store in memory cannot be shared")
    try:
        private_files.create(Path(path))
    except OSError as problem:
        raise OperationalError(f"The database file cannot be opened: {problem.strerror}") from None


def init_app(app: Flask, settings: Settings) -> None:
    """Bind the store, refuse another schema, and give every request a connection of the pool."""
    bound = bind(settings)
    with bound:
        schema.require_current()
    # What was opened here must not be shared with workers that are forked later.
    bound.close_all()

    @app.before_request
    def open_connection() -> None:
        database.connect(reuse_if_open=True)

    @app.after_request
    def close_connection(response: Response) -> Response:
        # A large answer is still read from the store while it is sent.
        response.call_on_close(database.close)
        return response
