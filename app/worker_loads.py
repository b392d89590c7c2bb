"""How much each worker has in hand, for the others to see: a new connection is for the freest.

The kernel wakes all workers that wait for a connection, and the one that is up first takes it, and
the next ones too before another is awake: of four clients that come at once three or four were
answered by one of two workers, while the other had nothing to do.
"""

from __future__ import annotations

import mmap

SLOTS = 256
"""Workers beyond so many share a slot: then a connection may go to one that is not the freest."""
FULL, MOST = 128, 126
"""What is added where no thread is free, and as how many more connections count."""

_in_hand = mmap.mmap(-1, SLOTS)
"""One byte a worker, 0 for none; the master's forks all see the same memory."""


class Load:
    """Tell what one worker has in hand; workers are numbered by their age."""

    def __init__(self, age: int) -> None:
        self._slot = age % SLOTS

    def tell(self, connections: int, full: bool) -> None:
        """Say how many connections it has open, and whether all its threads are busy with some.

        A connection that is quiet counts too: its next request will come to this worker.
        """
        _in_hand[self._slot] = 1 + min(connections, MOST) + FULL * full

    def forget(self) -> None:
        """Say that it takes no more connections."""
        _in_hand[self._slot] = 0

    def is_above_others(self) -> bool:
        """Tell whether another worker has less to do."""
        return _in_hand[self._slot] > min(_in_hand[:].replace(b"\0", b""), default=0)
