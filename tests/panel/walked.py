"""A walk of the panel that was finished, for tests of what comes after it."""

from __future__ import annotations

from models.panel.walks import PanelWalk
from models.store import clock


def walked(at: int = 0) -> None:
    """Store that a walk was finished, now unless another moment is given."""
    at = at or clock.now()
    PanelWalk.create(started_at=at, finished_at=at)
