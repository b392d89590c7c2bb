"""The metrics by name, kept by prometheus-client: for one process, or in files for all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from app import metric_files

if TYPE_CHECKING:
    from app.usage_log import UsageLog
    from calls.rendering.fragments import Fragments

disable_created_metrics()  # files of several processes have none either


class Families:
    """Hold the metrics of this process."""

    def __init__(self, buckets: Sequence[float], folder: str) -> None:
        # Which of the two a metric is made of is decided when prometheus-client is first imported;
        # here it is said again, for a folder that was made or turned out to be full since then.
        values.ValueClass = values.MultiProcessValue() if folder else values.MutexValue
        self.pid = os.getpid()
        self.folder = folder
        self.registry = CollectorRegistry()
        self._histograms = {
            "calls": Histogram(
                "promobridge_call_seconds",
                "Legacy calls: time until the answer is made, by call and result.",
                ["call", "result"],
                buckets=buckets,
                registry=self.registry,
            ),
            "routes": Histogram(
                "promobridge_rest_seconds",
                "REST requests: time until the answer is made, by route and status.",
                ["method", "route", "status"],
                buckets=buckets,
                registry=self.registry,
            ),
        }
        self._counters = {
            "answers": self._counter("http_answers", "HTTP answers by status.", "status"),
            "replays": self._counter(
                "idempotent_replays", "Kept answers that were given again.", "face"
            ),
            "codes": self._counter("job_codes_made", "Codes of large batches made by workers."),
        }
        self._shown = {
            "hits": self._counter("fragment_cache_hits", "Rendered texts found in the cache."),
            "misses": self._counter("fragment_cache_misses", "Rendered texts not found there."),
            "dropped": self._counter("usage_log_dropped", "Calls missing in the API usage log."),
        }
        self._told = dict.fromkeys(self._shown, 0)
        self._bytes = self._gauge("fragment_cache_bytes", "Rendered texts kept, in bytes.")
        self._waiting = self._gauge("usage_log_waiting", "Calls not yet in the API usage log.")
        self._processes = self._gauge("processes", "Processes that answer requests.")

    def is_stale(self) -> bool:
        """Tell whether they are another process's, or something cleaned their folder away."""
        return self.pid != os.getpid() or bool(self.folder and not os.path.isdir(self.folder))

    def add_times(
        self, kind: str, labels: Sequence[str], counts: Sequence[int], seconds: float
    ) -> None:
        """Add measurements: how many are in each bucket, the last one open, and their sum."""
        child = self._histograms[kind].labels(*labels)
        # As Histogram.observe does for one: its public face takes no sums.
        child._sum.inc(seconds)
        for bucket, count in zip(child._buckets, counts, strict=True):
            if count:
                bucket.inc(count)

    def add_count(self, kind: str, label: str, count: int) -> None:
        """Add to a counter; "" stands for one without a label."""
        counter = self._counters[kind]
        (counter.labels(label) if label else counter).inc(count)

    def show(self, fragments: Fragments, usage_log: UsageLog) -> None:
        """Take over what the cache and the usage log of this process have counted."""
        counted = {
            "hits": fragments.hits,
            "misses": fragments.misses,
            "dropped": usage_log.dropped,
        }
        for name, count in counted.items():
            # Less than before: another application in this process, as the next test has one.
            self._shown[name].inc(max(0, count - self._told[name]))
            self._told[name] = count
        self._processes.set(1)
        self._bytes.set(fragments.bytes)
        self._waiting.set(usage_log.waiting)

    def text(self) -> tuple[bytes, str]:
        """Return the metrics as text, of all processes that share the folder, and its type."""
        if not self.folder:
            return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self.folder)
        with metric_files.locked(self.folder):
            return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4

    def _counter(self, name: str, sentence: str, *labels: str) -> Counter:
        return Counter(f"promobridge_{name}", sentence, labels, registry=self.registry)

    def _gauge(self, name: str, sentence: str) -> Gauge:
        return Gauge(
            f"promobridge_{name}", sentence, registry=self.registry, multiprocess_mode="livesum"
        )
