"""Cores: which one a worker keeps to.

Only one thread of a process runs Python at a time, and they change over a dozen times a request. On
another core each must be woken up there and finds nothing in its cache: four clients got half as
many answers a second from one process as one client alone. Kept to one core they get more.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress


def freest(taken: Iterable[int | None]) -> int | None:
    """Return a core that the fewest of these are on; None where nobody can keep to one."""
    if not hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return None
    counts = Counter(taken)
    allowed = os.sched_getaffinity(0)
    least = min(counts[core] for core in allowed)
    # By chance: another server on this host begins with its first worker too.
    among = [core for core in allowed if counts[core] == least]
    return random.choice(among)  # noqa: S311  # no secret


def keep_to(core: int) -> None:
    """Keep this process, and all threads that it starts from now on, to a core."""
    with suppress(OSError):  # it was taken from us meanwhile, or a sandbox forbids it
        os.sched_setaffinity(0, {core})
