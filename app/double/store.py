"""The store of a double: SQLite in a temporary folder, put back to a snapshot by copying a file."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from app import db
from app.config import Settings
from models.store import schema
from models.store.base import database
from models.store.engine import Engine
from models.store.errors import Invalid

PREFIX = "promobridge-double-"
LOCK = "lock"
NAME = re.compile(r"[a-z0-9]{1,20}")
SNAPSHOTS = 1000
"""Snapshots that are kept; they are files."""


class Store:
    """Hold the folder, the file that is in use, and the snapshots."""

    def __init__(self, settings: Settings) -> None:
        """Name the folder; nothing is made yet, so that `remove` finds what an end interrupts."""
        self._settings = settings
        self._made = self._number = 0
        self._lock: IO[bytes] | None = None
        self.folder = _named()

    def make(self) -> None:
        """Make the folder and an empty store in it."""
        remove_left()
        self._claim()
        self._path = self.folder / "0.db"
        self._bind()
        with database.connection_context():
            schema.upgrade()

    @property
    def url(self) -> str:
        """Return the database URL of the file that is in use."""
        return f"{db.SQLITE}{self._path}"

    @property
    def engine(self) -> Engine:
        """Return the engine of that file."""
        return self._engine

    def snapshot(self, name: str = "") -> str:
        """Keep what is stored now, by this name or the next number, and return the name.

        Raises Invalid for too many.
        """
        if not name:
            if self._number >= SNAPSHOTS:
                raise Invalid(f"There are {SNAPSHOTS} snapshots: start the double again")
            self._number += 1
            name = str(self._number)
        # Closing the last connection writes the log of changes into the file.
        database.close_all()
        shutil.copyfile(self._path, self._file(name))
        return name

    def restore(self, name: str) -> None:
        """Go on with a copy of a snapshot. Raises Invalid when there is none with this name."""
        kept = self._file(name)
        if not (NAME.fullmatch(name) and kept.exists()):
            raise Invalid(f"There is no snapshot {name[:20]}")
        database.close_all()
        before, self._made = self._path, self._made + 1
        self._path = self.folder / f"{self._made}.db"
        shutil.copyfile(kept, self._path)
        self._bind()
        for file in self.folder.glob(f"{before.name}*"):
            file.unlink()

    def remove(self) -> None:
        """Remove the folder."""
        if database.obj is not None:
            database.close_all()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    def _claim(self) -> None:
        while True:
            self.folder.mkdir(0o700)
            with suppress(OSError):
                self._lock = _held(self.folder)
                if (self.folder / LOCK).exists():
                    return
                self._lock.close()
            # Another start took it for one that was left, before it was locked.
            self.folder = _named()

    def _file(self, name: str) -> Path:
        return self.folder / f"snapshot-{name}"

    def _bind(self) -> None:
        """Bind another engine: what is known of the one before is forgotten with it."""
        self._engine = db.opened(self.url, self._settings)
        # Nothing here outlives the machine.
        self._engine.pragma("synchronous", "off", permanent=True)
        self._engine.close()  # it was opened for that, in this thread
        database.initialize(self._engine)


def remove_left() -> None:
    """Remove the folders of doubles that were killed: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.geteuid():
                with _held(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _named() -> Path:
    # Not by the chance of a seed: two with the same one run side by side.
    return Path(tempfile.gettempdir(), f"{PREFIX}{secrets.token_hex(8)}")


def _held(folder: Path) -> IO[bytes]:
    """Return the lock of a folder, held until it is closed. Raises OSError where another has it."""
    opened = (folder / LOCK).open("ab")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        opened.close()
        raise
    return opened
