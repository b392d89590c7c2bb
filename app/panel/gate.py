"""How many may wait for the panel at once, and that nobody does while it is away."""

from __future__ import annotations

import threading
import time

from app.panel.problem import NOT_CARRIED_OUT, PanelProblem

WAIT_SECONDS = 1
"""How long a call waits for its turn."""
MOST_FAILURES = 5
"""After so many calls in a row without an answer the panel counts as away."""
AWAY_SECONDS = 5
"""How long it does, until one call tries again."""


class Gate:
    """Let at most half of the threads of a process wait for the panel, others for their turn.

    A quarter of the threads, one at least where there are two, does neither: local calls have it.
    """

    def __init__(self, threads: int) -> None:
        half = max(1, threads // 2)
        self._turns = threading.Semaphore(half)
        self._queue = threading.Semaphore(max(0, threads - half - max(1, threads // 4)))
        self._lock = threading.Lock()
        self._failures = 0
        self._try_at = 0.0

    def enter(self) -> None:
        """Take a turn. Raises PanelProblem where none is free in a second, or the panel is away."""
        with self._lock:
            now = time.monotonic()
            if self._failures >= MOST_FAILURES and now < self._try_at:
                raise _away()
            self._try_at = now + AWAY_SECONDS
        if self._turns.acquire(blocking=False):
            return
        if not self._queue.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turns.acquire(timeout=WAIT_SECONDS):
                raise _busy()
        finally:
            self._queue.release()

    def leave(self) -> None:
        """Give the turn back."""
        self._turns.release()

    def note(self, answered: bool) -> None:
        """Note whether the panel began to answer."""
        with self._lock:
            self._failures = 0 if answered else self._failures + 1


def _busy() -> PanelProblem:
    return PanelProblem(
        f"Too many calls wait for the panel, try again later; {NOT_CARRIED_OUT}", sent=False
    )


def _away() -> PanelProblem:
    said = "The panel has not answered for a while and is asked again in a moment"
    return PanelProblem(f"{said}; {NOT_CARRIED_OUT}", sent=False)
