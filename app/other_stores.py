"""Stores that are named by a URL beside the one of the settings."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from app import database_url, db
from app.config import BadSetting, Settings
from models.store.engines import Engine, Sqlite

BUSY_MILLISECONDS = 30_000


def existing(url: str, settings: Settings, name: str) -> Engine:
    """Return the database of a URL to read from; nothing is made or changed.

    `name` is what refusals call the URL. Raises BadSetting for one of no use.
    """
    if database_url.scheme(url) == "sqlite" and url.startswith(db.SQLITE):
        return existing_file(Path(url.removeprefix(db.SQLITE)), name)
    return db.opened(url, settings, name)


def existing_file(path: Path, name: str) -> Engine:
    """Return the database that a file holds, to read from. Raises BadSetting without a file."""
    if not path.is_file():
        raise BadSetting(f"{name}: there is no such file")
    return Sqlite(
        f"file:{quote(str(path))}?mode=rw",  # made by nobody; a file for reading only is read
        uri=True,
        pragmas={"busy_timeout": BUSY_MILLISECONDS, "query_only": 1, "cache_size": -65536},
    )
