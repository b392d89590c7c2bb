"""Metrics for Prometheus, summed over the processes of one server.

Label values are ours alone: names of calls and routes, statuses, a few words; of what clients sent
only `NAMES`. Of processes without a common folder (see `app/metrics_folder.py`) each shows its own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app.metrics_folder import VARIABLE

OTHER = "other"
"""The label of calls that do not exist, but for `NAMES`."""
NAMES: set[str] = set()
"""Those of proven callers that the usage log tells apart, which adds them when it writes them."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)
"""Seconds: from a short call of a warm process to the longest wait for the store's writer."""
FOLDER = os.environ.get(VARIABLE, "")
REGISTRY = CollectorRegistry()


def _counter(name: str, sentence: str, *labels: str) -> Counter:
    return Counter(f"promobridge_{name}", sentence, labels, registry=REGISTRY)


def _histogram(name: str, sentence: str, *labels: str) -> Histogram:
    return Histogram(f"promobridge_{name}", sentence, labels, buckets=BUCKETS, registry=REGISTRY)


def _gauge(name: str, sentence: str) -> Gauge:
    return Gauge(f"promobridge_{name}", sentence, multiprocess_mode="livesum", registry=REGISTRY)


def _keep_folder() -> None:
    """Make the folder again where it was deleted. Raises OSError where that fails."""
    with suppress(FileExistsError):
        os.mkdir(FOLDER, 0o700)
    if os.lstat(FOLDER).st_uid != os.geteuid():
        raise PermissionError(f"{FOLDER} belongs to somebody else")


if FOLDER:
    _keep_folder()
disable_created_metrics()  # several processes together have none either
CALLS = _histogram(
    "call_seconds",
    "Legacy calls: time until the answer is made, by call and result.",
    "call",
    "result",
)
ROUTES = _histogram(
    "rest_seconds",
    "REST requests: time until the answer is made, by route and status.",
    "method",
    "route",
    "status",
)
ANSWERS = _counter("http_answers", "HTTP answers by status.", "status")
REPLAYS = _counter("idempotent_replays", "Kept answers that were given again.", "face")
CODES = _counter("job_codes_made", "Codes of large batches made by workers.")
WEBHOOKS = _counter("webhook_tries", "Requests to webhooks, by how they went.", "outcome")
HITS = _counter("fragment_cache_hits", "Rendered texts found in the cache.")
MISSES = _counter("fragment_cache_misses", "Rendered texts not found there.")
DROPPED = _counter("usage_log_dropped", "Calls missing in the API usage log.")
CACHE_BYTES = _gauge("fragment_cache_bytes", "Rendered texts kept, in bytes.")
WAITING = _gauge("usage_log_waiting", "Calls not yet in the API usage log.")
PROCESSES = _gauge("processes", "Processes that answer requests.")

CALLS.labels(OTHER, "refused")  # opens the file of histograms now, while the folder is there


def exposition() -> tuple[bytes, str]:
    """Return the metrics of all processes of this server as text, and its content type."""
    PROCESSES.set(1)
    registry = REGISTRY
    if FOLDER:
        _keep_folder()
        _forget_ended()
        registry = CollectorRegistry()
        MultiProcessCollector(registry, FOLDER)
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def forget(pid: int) -> None:
    """Remove an ended process from the gauges."""
    if FOLDER:
        with suppress(FileNotFoundError):  # another process forgets it, too
            mark_process_dead(pid, FOLDER)


def _forget_ended() -> None:
    for file in Path(FOLDER).glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            forget(pid)
        except PermissionError:
            continue  # it runs, as somebody else


def _begin() -> None:
    """Show a worker that was forked, before it answers anything."""
    if FOLDER:
        _keep_folder()
    PROCESSES.set(1)


os.register_at_fork(after_in_child=_begin)
