"""Measure promobridge beside a PHP page over the same rows, and say whether it is fast enough."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from tests.bench import results
from tests.bench.measures import MEASURES
from tests.bench.results import Result
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.servers import Broken, Missing


@click.command()
@click.option("--only", metavar="S1,S5", help="Measure these alone.")
@click.option("--rounds", type=click.IntRange(1, 100), help="How often each is measured.")
@click.option("--seconds", type=click.IntRange(1, 60), help="How long each round of wrk is.")
@click.option("--quick", is_flag=True, help="Smaller data and short rounds, for minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(
    only: str | None, rounds: int | None, seconds: int | None, quick: bool, as_json: bool
) -> None:
    """Print what was measured beside the targets; end with 1 when one is missed."""
    chosen = only.upper().split(",") if only else list(MEASURES)
    if unknown := [name for name in chosen if name not in MEASURES]:
        raise click.BadParameter(f"no measure is called {', '.join(unknown)}", param_hint="--only")
    scale = QUICK if quick else FULL
    scale = replace(scale, rounds=rounds or scale.rounds, seconds=seconds or scale.seconds)
    try:
        machine = results.machine()
        found = list(_measured(chosen, scale))
    except (Broken, Missing) as problem:
        raise click.ClickException(str(problem)) from None
    if as_json:
        shown = {"machine": machine, "results": [result.as_json() for result in found]}
        click.echo(json.dumps(shown, indent=1))
    else:
        click.echo(f"{machine}\n{scale.rounds} rounds of {scale.seconds:g} s\n")
        click.echo(results.table(found))
    missed = [result for result in found if result.missed_by]
    for result in missed:
        click.echo(f"{result.number} {result.work}, {result.measure}: {result.verdict}", err=True)
    sys.exit(bool(missed))


def _measured(chosen: list[str], scale: Scale) -> Iterator[Result]:
    """Yield what was chosen in order; a measure that fills two numbers is run once."""
    for measure in dict.fromkeys(MEASURES[name] for name in chosen):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for result in measure(Path(folder), scale):
                if result.number in chosen:
                    click.echo(f"{result.number} {result.work}: {result.verdict}", err=True)
                    yield result


if __name__ == "__main__":
    main()
