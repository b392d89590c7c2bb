"""What was measured, beside what was asked for: a row a measure, a column a server."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tests.bench.servers import program


@dataclass(frozen=True)
class Cell:
    """Hold what one server did, a value a round; `least` or `most` is what was asked for."""

    values: Sequence[float]
    unit: str = ""
    least: float | None = None
    most: float | None = None
    detail: str = ""

    @property
    def missed_by(self) -> float:
        """Return the part of the target that is missing (or too much), 0 when it was reached."""
        reached = median(self.values)
        if self.least is not None:
            return max(0.0, 1 - reached / self.least)
        return max(0.0, reached / self.most - 1) if self.most is not None else 0.0

    @property
    def target(self) -> str:
        """Return the target and whether it was reached; nothing where there is none."""
        if self.least is None and self.most is None:
            return ""
        asked = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        return f"{asked} MISSED by {self.missed_by:.0%}" if self.missed_by else f"{asked} ok"

    def __str__(self) -> str:
        """Return the median, the spread, the detail and the target."""
        spread = f" ({digits(min(self.values))}-{digits(max(self.values))})"
        shown = f"{digits(median(self.values))}{self.unit}{spread if len(self.values) > 1 else ''}"
        return ", ".join(filter(None, (shown, self.detail, self.target)))


@dataclass(frozen=True)
class Row:
    """Hold one measure of one target, by the name of the server."""

    number: str
    work: str
    measure: str
    cells: Mapping[str, Cell]

    def __str__(self) -> str:
        """Return everything in a line."""
        cells = "; ".join(f"{name} {cell}" for name, cell in self.cells.items())
        return f"{self.number} {self.work}, {self.measure}: {cells}"

    def misses(self) -> Iterator[str]:
        """Yield a line for each server that missed its target."""
        for name, cell in self.cells.items():
            if cell.missed_by:
                yield f"{self.number} {self.work}, {self.measure}: {name} {cell}"


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return the rows as a table that Markdown reads too, with those columns that occur."""
    names = [name for name in columns if any(name in row.cells for row in rows)]
    lines = [("#", "work", "measured", *names)]
    for row in rows:
        cells = (str(row.cells.get(name, "")) for name in names)
        lines.append((row.number, row.work, row.measure, *cells))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return the ratio of each round."""
    return [one / other for one, other in zip(above, below, strict=True)]


def digits(value: float) -> str:
    """Return a number with what is worth reading of it."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def machine() -> str:
    """Return the machine's shape, its load, and the versions of what is measured."""
    facts = [
        f"{os.cpu_count()} cores ({_first('/proc/cpuinfo', 'model name')})",
        f"load {os.getloadavg()[0]:.1f}",
        f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 1_048_576:.0f} GB",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        *(f"{name} {version(name)}" for name in ("gunicorn", "granian", "Flask")),
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
