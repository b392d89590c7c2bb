"""Waiting for what happens in its own time, in another thread or process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 60
"""How long anything may take on a busy machine before a test gives up."""
Found = TypeVar("Found")


def wait_until(
    true: Callable[[], Found],
    seconds: float = SECONDS,
    *,
    why: Callable[[], object] = lambda: "it did not happen in time",
    pause: float = 0.01,
) -> Found:
    """Return what something is as soon as it is true.

    `pause` is how many seconds lie between two looks. Raises AssertionError with what `why` says.
    """
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, why()
        time.sleep(pause)
    return found
