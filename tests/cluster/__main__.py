"""The endurance of a cluster, by hand:

    python -m tests.cluster --seconds 300 --kills 6 [--json]

Exits with 1 when a use was lost or counted twice, or when a client was told of a conflict.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path

import click

from tests.cluster import endurance, nodes


def main() -> int:
    """Run it and print the account; return the exit status."""
    asked = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    asked.add_argument("--seconds", type=float, default=120, help="how long clients redeem")
    asked.add_argument("--kills", type=int, default=3, help="how often a node is killed")
    asked.add_argument("--json", action="store_true", help="print one JSON value")
    options = asked.parse_args()
    if nodes.missing():
        click.echo(f"A cluster needs what is missing here: {nodes.missing()}", err=True)
        return 2
    plan = list(islice(cycle(endurance.PLAN), options.kills))
    with nodes.cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        report = endurance.run(
            cluster,
            Path(folder),
            options.seconds,
            plan,
            lambda line: click.echo(line, err=True),
        )
    account = report.account
    if options.json:
        click.echo(
            json.dumps(asdict(report) | {"a_second": account.a_second, "passed": report.passed})
        )
    else:
        click.echo(f"redemptions asked     {account.asked}")
        click.echo(f"            answered  {account.answered} ({account.a_second:.0f} a second)")
        click.echo(f"            found     {account.found} (the same invoice again)")
        click.echo(f"            refused   {account.refused} (limits)")
        click.echo(
            f"            unknown   {account.unknown} (asked once, told to try again or cut off)"
        )
        click.echo(f"            recorded  {account.recorded}")
        click.echo(f"            lost      {account.lost}")
        click.echo(f"            doubled   {account.doubled}")
        click.echo(f"answers     busy      {account.said_busy}")
        click.echo(f"            away      {account.said_away} (503)")
        click.echo(f"            cut off   {account.cut_off}")
        click.echo(f"            odd       {account.odd}")
        click.echo(f"conflicts retried     {report.conflicts}")
        click.echo(f"longest pause         {account.longest_pause:.1f} s")
        click.echo(f"longest wait          {account.longest_wait:.1f} s")
        click.echo(f"wrong counts          {len(report.wrong_counts)} {report.wrong_counts[:3]}")
        click.echo(f"nodes equal           {report.nodes_equal}")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
