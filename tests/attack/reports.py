"""What an attack cost, and what it may cost at most."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.attack.kinds import Kind

MOST_SECONDS, MOST_MB = 1.0, 150


@dataclass
class Report:
    """Say what an attack did and what it cost; times are seconds, memory is MB."""

    kind: str
    sent: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    neighbour_calls: int = 0
    neighbour_slowest: float = 0.0
    neighbour_failed: int = 0
    peak_mb: int = 0
    workers_ended: int = 0
    rows: int = 0
    store_mb: float = 0.0
    check: str = ""
    faults: list[str] = field(default_factory=list)

    def judge(self, kind: Kind) -> None:
        """Note what must not be."""
        failures = sum(n for status, n in self.statuses.items() if "500" <= status <= "599")
        self.faults = [
            text
            for text, found in {
                f"a neighbour waited {self.neighbour_slowest:.1f} s": self.neighbour_slowest
                >= MOST_SECONDS,
                f"{self.neighbour_failed} calls of a neighbour failed": self.neighbour_failed,
                f"a worker took {self.peak_mb} MB": self.peak_mb >= MOST_MB,
                f"{self.workers_ended} workers ended": self.workers_ended,
                f"{self.rows} rows for {self.sent} requests": kind.rows_a_request is not None
                and self.rows > kind.rows_a_request * self.sent,
                f"{failures} answers of 500 and more": kind.is_refused and failures,
                f"db check: {self.check}": self.check,
            }.items()
            if found
        ]
