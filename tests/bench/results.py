"""What was measured, beside what was asked for."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.servers import program

HEAD = ("#", "work", "measured", "median", "min-max", "target", "", "rates or times")


@dataclass(frozen=True)
class Result:
    """Hold one measure of one target, a value a round; `least` or `most` is what was asked for."""

    number: str
    work: str
    measure: str
    values: Sequence[float]
    least: float | None = None
    most: float | None = None
    detail: str = ""

    @property
    def median(self) -> float:
        """Return the value that counts."""
        return median(self.values)

    @property
    def missed_by(self) -> float:
        """Return the part of the target that is missing (or too much), 0 when it was reached."""
        if self.least is not None:
            return max(0.0, 1 - self.median / self.least)
        return max(0.0, self.median / self.most - 1) if self.most else 0.0

    @property
    def verdict(self) -> str:
        """Return `ok`, or by how much the target was missed."""
        return f"MISSED by {self.missed_by:.0%}" if self.missed_by else "ok"

    def cells(self) -> tuple[str, ...]:
        """Return the cells of a table's row."""
        target = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        spread = f"{_digits(min(self.values))}-{_digits(max(self.values))}"
        return (
            self.number,
            self.work,
            self.measure,
            _digits(self.median),
            spread,
            target,
            self.verdict,
            self.detail,
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {**asdict(self), "median": self.median, "missed_by": self.missed_by}


def rates(measured: dict[str, list[float]]) -> str:
    """Return the median rate of each server."""
    return ", ".join(f"{name} {median(values):,.0f}/s" for name, values in measured.items())


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return the ratio of each round."""
    return [one / other for one, other in zip(above, below, strict=True)]


def table(results: Sequence[Result]) -> str:
    """Return the results as a table that Markdown reads too."""
    lines = [HEAD, *(result.cells() for result in results)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def machine() -> str:
    """Return the machine's shape and the versions of what was measured."""
    facts = [
        f"{os.cpu_count()} cores ({_first('/proc/cpuinfo', 'model name')})",
        f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 1_048_576:.0f} GB",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"gunicorn {version('gunicorn')}",
        f"Flask {version('flask')}",
        f"SQLite {sqlite3.sqlite_version}",
        *_programs(),
    ]
    return ", ".join(facts)


def _programs() -> Iterator[str]:
    for name in ("php-fpm", "nginx", "wrk"):
        ran = subprocess.run([program(name), "-v"], capture_output=True, text=True, timeout=10)
        yield (ran.stdout + ran.stderr).splitlines()[0].split(" [")[0].split(" (")[0]


def _first(file: str, name: str) -> str:
    lines = Path(file).read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith(name)), "0")


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"
