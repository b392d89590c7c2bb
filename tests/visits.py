"""How much of a store a deed looks through, as its engine counts it: no clock, so no noise."""

from __future__ import annotations

from collections.abc import Callable

from models.store.base import database
from models.store.servers import Mariadb
from models.store.sqlite import Sqlite

STEPS = 10
"""SQLite is asked after so many instructions of its own."""
POSTGRESQL = """
SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)
     + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)
"""
MARIADB = (
    "SELECT SUM(variable_value) FROM information_schema.session_status WHERE variable_name LIKE %s"
)


def settle() -> None:
    """Let the engine learn how large its tables are, as it does by itself after a while."""
    if isinstance(database.obj, Mariadb):
        for table in database.get_tables():
            database.execute_sql(f"ANALYZE TABLE {table}").fetchall()
    else:
        database.execute_sql("ANALYZE")


def visits(deed: Callable[[], object]) -> int:
    """Return the rows that a deed visits, in tables and indexes; on SQLite its tens of steps.

    All that the deed does goes through the one connection of this thread.
    """
    if isinstance(database.obj, Sqlite):
        return _steps(deed)
    read = _read_mariadb if isinstance(database.obj, Mariadb) else _read_postgresql
    first = read()
    own = read() - first
    before = read()
    deed()
    return read() - before - own


def _steps(deed: Callable[[], object]) -> int:
    steps = 0

    def stepped() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection = database.connection()
    connection.set_progress_handler(stepped, STEPS)
    deed()
    connection.set_progress_handler(None, STEPS)
    assert steps, "it was done through another connection"
    return steps


def _read_postgresql() -> int:
    database.execute_sql("SELECT pg_stat_force_next_flush()")
    return int(database.execute_sql(POSTGRESQL).fetchone()[0])


def _read_mariadb() -> int:
    return int(database.execute_sql(MARIADB, (r"HANDLER\_READ\_%",)).fetchone()[0])
