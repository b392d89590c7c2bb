"""Measure promobridge beside a PHP page over the same rows, and say whether it is fast enough."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from tests.bench import results
from tests.bench.measures import MEASURES
from tests.bench.php import PHP
from tests.bench.results import Row
from tests.bench.scale import SIZES, Scale
from tests.bench.servers import OURS, TUTORIAL, Broken, Missing, require_all
from tests.bench.timed import ALONE

NUMBERS = tuple(dict.fromkeys(number for every in MEASURES.values() for number in every))
COLUMNS = (*OURS, TUTORIAL, PHP, ALONE)


@click.command()
@click.option("--only", metavar="S1,S5", help="Measure these alone.")
@click.option("--size", type=click.Choice([*SIZES]), default="usual", show_default=True)
@click.option("--rounds", type=click.IntRange(1, 100), help="How often each is measured.")
@click.option("--seconds", type=click.FloatRange(0.2, 60), help="How long each round of wrk is.")
def main(only: str | None, size: str, rounds: int | None, seconds: float | None) -> None:
    """Print what was measured beside the targets; end with 1 when one is missed."""
    chosen = only.upper().split(",") if only else NUMBERS
    if unknown := [name for name in chosen if name not in NUMBERS]:
        raise click.BadParameter(f"no measure is called {', '.join(unknown)}", param_hint="--only")
    scale = SIZES[size]
    scale = replace(scale, rounds=rounds or scale.rounds, seconds=seconds or scale.seconds)
    try:
        require_all()
        machine = results.machine()
        rows = list(_measured(chosen, scale))
    except (Broken, Missing) as problem:
        raise click.ClickException(str(problem)) from None
    beside = [row for row in rows if PHP in row.cells]
    click.echo(f"{machine}\n{scale.rounds} rounds of {scale.seconds:g} s\n")
    for some in (beside, [row for row in rows if row not in beside]):
        if some:
            click.echo(f"{results.table(some, COLUMNS)}\n")
    misses = [line for row in rows for line in row.misses()]
    click.echo("\n".join(misses), err=True)
    sys.exit(bool(misses) and scale.judged)


def _measured(chosen: tuple[str, ...] | list[str], scale: Scale) -> Iterator[Row]:
    for measure, numbers in MEASURES.items():
        if {*numbers}.isdisjoint(chosen):
            continue
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for row in measure(Path(folder), scale):
                if row.number in chosen:
                    click.echo(row, err=True)
                    yield row


if __name__ == "__main__":
    main()
