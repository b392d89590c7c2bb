"""What is measured, for Prometheus: a request only puts a measurement down, it is summed later.

Every process sums into files of its own (see `app/metric_files.py`) about once a second, so that a
request pays a fifth of what prometheus-client's locked and mapped counters cost. Label values are
ours alone: names of calls and routes, statuses, a few words; never a text that a client sent.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from app import metric_files

if TYPE_CHECKING:
    from app.metric_families import Families
    from app.usage_log import UsageLog
    from calls.rendering.fragments import Fragments

T = TypeVar("T")
OTHER = "other"
"""Stands for every name of a call that there is none of."""
PUBLISH_SECONDS = 1.0
WAITING_MOST = 50_000
"""Measurements that may wait: some seconds of what one process can answer."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)
"""Seconds: from a short call of a warm process to the longest wait for the store's writer."""

_timed: deque[tuple[str, tuple[str, ...], float]] = deque(maxlen=WAITING_MOST)
_counted: deque[tuple[str, str]] = deque(maxlen=WAITING_MOST)
_publishing = threading.Lock()
_next_at = 0.0
_families: Families | None = None
_watched: tuple[Fragments, UsageLog] | None = None


def called(name: str, result: str, seconds: float) -> None:
    """Measure a legacy call: its registered name or "", ok, refused or failed, and its time."""
    _timed.append(("calls", (name or OTHER, result), seconds))


def routed(method: str, path: str, status: int, seconds: float) -> None:
    """Measure a request of the REST face by its route's template."""
    _timed.append(("routes", (method, path, str(status)), seconds))


def answered(status: str) -> None:
    """Count an answer by its HTTP status, whoever gave it."""
    _counted.append(("answers", status))


def replayed(face: str) -> None:
    """Count an answer that was kept under an idempotency key and given again."""
    _counted.append(("replays", face))


def codes_made(count: int) -> None:
    """Count codes of large batches that a job worker made; published at once."""
    publish().add_count("codes", "", count)


def watch(fragments: Fragments, usage_log: UsageLog) -> None:
    """Publish what these two count by themselves."""
    global _watched
    _watched = fragments, usage_log


def publish_when_due() -> None:
    """Sum up what waits, about once a second; for a loop that comes by often."""
    if time.monotonic() >= _next_at:
        publish()


def publish() -> Families:
    """Sum up what waits; return the metrics of this process."""
    global _next_at, _families
    with _publishing:
        _next_at = time.monotonic() + PUBLISH_SECONDS
        if _families is None or _families.is_stale():
            # Imported here: it finds out now, in the worker, whether there is a folder to share.
            from app.metric_families import Families

            _families = Families(BUCKETS, metric_files.join())
        _sum_up(_families)
        if _watched:
            _families.show(*_watched)
        return _families


def exposition() -> tuple[bytes, str]:
    """Return the metrics of all processes of this server as text, and its content type."""
    return publish().text()


def _sum_up(families: Families) -> None:
    times: dict[tuple[str, tuple[str, ...]], list[float]] = defaultdict(list)
    for kind, labels, seconds in _taken(_timed):
        times[kind, labels].append(seconds)
    for (kind, labels), measured in times.items():
        measured.sort()  # so that a bucket takes two searches, not a search for each measurement
        up_to = [bisect_right(measured, bound) for bound in BUCKETS] + [len(measured)]
        counts = [here - before for before, here in pairwise([0, *up_to])]
        families.add_times(kind, labels, counts, sum(measured))
    for (kind, label), count in Counter(_taken(_counted)).items():
        families.add_count(kind, label, count)


def _taken(waiting: deque[T]) -> list[T]:
    """Take out what waits at this moment; more may come meanwhile."""
    return [waiting.popleft() for _ in range(len(waiting))]
