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
        # Names apart: how often somebody only looks changes no code.
        self._names = None if seed is None else random.Random(f"{seed} names")  # noqa: S311
        self._marks: dict[str, tuple[Any, Any]] = {}

    def mark(self, name: str) -> None:
        """Keep the chance of now for `reset`, by a name."""
        if self._random is not None and self._names is not None:
            self._marks[name] = self._random.getstate(), self._names.getstate()

    def reset(self, name: str) -> None:
        """Go back to the time of the start, and to the chance that was marked by a name."""
        self.frozen, self._ahead = self._begin, 0.0
        if self._random is not None and self._names is not None:
            chance, names = self._marks[name]
            self._random.setstate(chance)
            self._names.setstate(names)

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

    def random_name(self) -> str:
        """Return 32 hexadecimal digits that name a request."""
        return super().random_name() if self._names is None else self._names.randbytes(16).hex()

    def chance(self) -> float:
        """Return a number from 0 to 1, 1 not included."""
        return self.random_below(2**32) / 2**32
