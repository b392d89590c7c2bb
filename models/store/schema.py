"""The schema of the store and its numbered migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peewee import PeeweeException
from playhouse.migrations import Runner

from models.store.base import database
from models.store.engine import Engine
from models.store.errors import SchemaMismatch

MIGRATIONS = Path(__file__).parent / "migrations"
HISTORY = "schema_migration"
"""The table of the migrations that were run."""
PART = "part_of_a_copy_"
"""The prefix of the name among them that marks a copy as unfinished."""
PARTIAL = "The database holds a part of a copy"
OLDER = "The database schema is older than this version"
NEWER = "The database schema is newer than this version"
CURES = {
    PARTIAL: ": run the same `promobridge db copy` or `promobridge db restore` again, "
    "which starts over.",
    OLDER: " (missing: {}): run `promobridge db upgrade`.",
    NEWER: " (unknown: {}): install a newer promobridge.",
}


def upgrade(store: Engine | None = None) -> list[str]:
    """Run the migrations that are missing and return their names; without a store in the bound one.

    Where an engine ends its transactions with each step (MariaDB), what was broken off is made
    whole by running it again.
    """
    runner = _runner(store)
    # Several processes may meet a new database at once: each step is done by one, and another that
    # failed at it goes on with the next.
    for _ in runner.migrations():
        try:
            runner.database.prepare()
            return runner.up()
        except PeeweeException:
            if all(migration.applied for migration in runner.status()):
                return []
    return runner.up()


def require_current(store: Engine | None = None) -> None:
    """Make the schema of an empty database; refuse an older or newer one with SchemaMismatch."""
    runner = _runner(store)
    if not runner.applied():
        upgrade(store)
        return
    problem, names = _mismatch(runner)
    if problem:
        raise SchemaMismatch(problem + CURES[problem].format(", ".join(sorted(names))))


def mismatch() -> str:
    """Return how the schema differs from this version's, "" when it is current; make nothing."""
    return _mismatch(_runner())[0]


def _mismatch(runner: Any) -> tuple[str, set[str]]:
    """Return how the schema differs, and the migrations that either side lacks."""
    known = {migration.name for migration in runner.migrations()}
    applied = set(runner.applied())
    missing, unknown = known - applied, applied - known
    if any(name.startswith(PART) for name in unknown):
        return PARTIAL, unknown
    return (OLDER, missing) if missing else (NEWER if unknown else "", unknown)


def applied(store: Engine) -> dict[str, Any]:
    """Return the migrations that a database has, by their names, with the time of each."""
    return dict(_runner(store).applied())


def history(store: Engine) -> Any:
    """Return the model of the table in which a database keeps them."""
    return _runner(store).History


def _runner(store: Engine | None = None) -> Any:
    return Runner(store or database.obj, directory=str(MIGRATIONS), table_name=HISTORY)
