"""Attack a server behind nginx in every way that is known, and say what a neighbour felt of it."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from tests.attack.kinds import KINDS
from tests.attack.reports import MOST_MB, MOST_SECONDS, Report
from tests.attack.runs import check, run, stage

COLUMNS = (
    f"{'kind':20} {'sent':>6} {'slowest s':>9} {'failed':>6} {'peak MB':>7} {'ended':>5}"
    f" {'rows':>7} {'store MB':>8}  answers"
)


@click.command(
    epilog="""\b
Examples:
  python -m tests.attack
  python -m tests.attack --only json-quotes --only jobs --seconds 5
  python -m tests.attack --json attacks.json
"""
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 600),
    default=15,
    show_default=True,
    help="How long each attack lasts at most.",
)
@click.option(
    "--only",
    "names",
    type=click.Choice(list(KINDS)),
    multiple=True,
    metavar="KIND",
    help=f"Run this kind alone; may be given again. Kinds: {', '.join(KINDS)}.",
)
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the reports to this file too.",
)
def main(seconds: float, names: tuple[str, ...], file: Path | None) -> None:
    """Attack `promobridge serve --workers 2` behind nginx, a fresh server and store for each kind.

    A neighbour makes an ordinary call every 50 ms meanwhile. A line for each kind says how many
    requests were sent, the neighbour's slowest call and how many failed, the largest peak of a
    worker, the workers that ended, what the store grew by, and what the attacker was answered.
    Ends with 1 when a neighbour waited a second or was not answered, a worker took 150 MB or
    ended, the store grew by too many rows, or `promobridge db check` finds a difference.
    """
    click.echo(COLUMNS)
    reports = [_attacked(name, seconds) for name in names or KINDS]
    if file:
        file.write_text(json.dumps([asdict(report) for report in reports], indent=1) + "\n")
    unclean = sum(bool(report.check) for report in reports)
    click.echo(f"db check: {f'{unclean} stores differ' if unclean else 'all stores are clean'}")
    faulty = sum(bool(report.faults) for report in reports)
    bounds = f"{MOST_SECONDS:g} s and {MOST_MB} MB"
    click.echo(f"{len(reports) - faulty} of {len(reports)} kinds within {bounds}")
    sys.exit(bool(faulty))


def _attacked(name: str, seconds: float) -> Report:
    with tempfile.TemporaryDirectory(prefix="attack-") as folder, stage(Path(folder)) as made:
        report = run(KINDS[name], made, seconds, full=True)
        made.stop()
        report.check = check(made)
        report.judge(KINDS[name])
    answers = ", ".join(f"{status}: {n}" for status, n in sorted(report.statuses.items()))
    click.echo(
        f"{report.kind:20} {report.sent:6} {report.neighbour_slowest:9.2f}"
        f" {report.neighbour_failed:6} {report.peak_mb:7} {report.workers_ended:5} {report.rows:7}"
        f" {report.store_mb:8.1f}  {answers}"
    )
    for fault in report.faults:
        click.echo(f"  {fault}")
    return report


if __name__ == "__main__":
    main()
