"""The schema of the store and its numbered migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peewee import PeeweeException
from playhouse.migrations import Runner

from models.base import database
from models.errors import SchemaMismatch

MIGRATIONS = Path(__file__).parent / "migrations"
OLDER = "The database schema is older than this version"
NEWER = "The database schema is newer than this version"


def upgrade() -> list[str]:
    """Run the migrations that are missing and return their names."""
    runner = _runner()
    try:
        return runner.up()
    except PeeweeException:
        # Two processes may meet a new database at once: the second finds the work done.
        if _pending(runner):
            raise
        return []


def require_current() -> None:
    """Make the schema of an empty database; refuse an older or newer one with SchemaMismatch."""
    runner = _runner()
    if not database.table_exists(runner.table_name):
        upgrade()
        return
    missing, unknown = _differences(runner)
    if missing:
        raise SchemaMismatch(
            f"{OLDER} (missing: {', '.join(sorted(missing))}): run `promobridge db upgrade`."
        )
    if unknown:
        raise SchemaMismatch(
            f"{NEWER} (unknown: {', '.join(sorted(unknown))}): install a newer promobridge."
        )


def mismatch() -> str:
    """Return how the schema differs from this version's, "" when it is current; make nothing."""
    missing, unknown = _differences(_runner())
    return OLDER if missing else NEWER if unknown else ""


def _differences(runner: Any) -> tuple[set[str], set[str]]:
    """Return the migrations that the database lacks, and those that this version lacks."""
    known = {migration.name for migration in runner.migrations()}
    applied = set(runner.applied())
    return known - applied, applied - known


def _pending(runner: Any) -> bool:
    return any(migration.applied is None for migration in runner.status())


def _runner() -> Any:
    return Runner(database.obj, directory=str(MIGRATIONS))
