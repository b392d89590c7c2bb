"""A walk of the panel that was finished, for tests of what comes after it."""

from __future__ import annotations

from models.store import clock
from models.store.base import database


def walked(at: int = 0) -> None:
    """Store that a walk was finished, now unless another moment is given."""
    database.execute_sql(
        "CREATE TABLE IF NOT EXISTS panel_walk (started_at BIGINT, finished_at BIGINT)"
    )
    at = at or clock.now()
    database.execute_sql(f"INSERT INTO panel_walk VALUES ({at}, {at})")  # noqa: S608  # numbers
