"""Keys that the processes of one installation share, each in a file for its owner only."""

from __future__ import annotations

import secrets
from pathlib import Path

from app.config import Settings
from app.exchange import private_files
from models.store.errors import Invalid

KEY_BYTES = 32
SQLITE = "sqlite:///"


def key(path: Path) -> bytes:
    """Return the key of a file, as hexadecimal digits; make the file where there is none.

    Raises Invalid where it cannot be made.
    """
    if not path.exists():
        try:
            with private_files.replacing(path, clobber=False) as name:
                name.write_text(secrets.token_hex(KEY_BYTES), "ascii")
        except Invalid:
            if not path.exists():  # another process has just made it
                raise
    return path.read_bytes()


def place(given: str, name: str, settings: Settings) -> Path:
    """Return the file of a key: the given one, else one of this name beside an SQLite database."""
    if given:
        return Path(given)
    url = settings.database_url
    return (Path(url.removeprefix(SQLITE)).parent if url.startswith(SQLITE) else Path()) / name
