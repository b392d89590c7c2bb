"""Time that can be stopped and set, and chance that has a seed."""

from __future__ import annotations

import random
import time
from typing import Any

from models.store.clock import Source


class GivenSource(Source):
    """Tell a time that was set, and chance by a seed where there is one.

    Times are Unix seconds. Without a seed chance is that of the operating system.
    """

    def __init__(self, frozen: float | None = None, seed: int | None = None) -> None:
        self.frozen = self._begin = frozen
        self._ahead = 0.0
        self._random = None if seed is None else random.Random(seed)  # noqa: S311  # meant
        self.mark()

    def mark(self) -> None:
        """Keep the chance of now for `reset`."""
        self._marked: Any = None if self._random is None else self._random.getstate()

    def reset(self) -> None:
        """Go back to the time of the start, and to the chance that was marked."""
        self.frozen, self._ahead = self._begin, 0.0
        if self._random is not None:
            self._random.setstate(self._marked)

    def time(self) -> float:
        """Return the time: the frozen one, else the real one and what it was advanced by."""
        return time.time() + self._ahead if self.frozen is None else self.frozen

    def freeze(self, at: float) -> None:
        """Stop the time at a moment."""
        self.frozen = at

    def advance(self, seconds: float) -> None:
        """Set the time forward; it goes on, or stands still, as before."""
        if self.frozen is None:
            self._ahead += seconds
        else:
            self.frozen += seconds

    def set_real(self) -> None:
        """Tell the real time again."""
        self.frozen, self._ahead = None, 0.0

    def random_bytes(self, count: int) -> bytes:
        """Return so many bytes."""
        return (
            super().random_bytes(count) if self._random is None else self._random.randbytes(count)
        )

    def random_below(self, limit: int) -> int:
        """Return a number from 0 to limit - 1."""
        if self._random is None:
            return super().random_below(limit)
        return self._random.randrange(limit)

    def chance(self) -> float:
        """Return a number from 0 to 1, 1 not included."""
        return self.random_below(2**32) / 2**32
