"""promobridge import: answers that were saved from a real installation."""

from __future__ import annotations

from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import click

from app.cli import output
from app.cli.output import as_json, progress, put_json

OUTCOMES = ("new", "changed", "unchanged")


@click.command(
    name="import",
    epilog="\b\nExample, for an installation at https://panel.example/admin:\n"
    "  curl -sS -o page0.json -d api_id=$ID -d api_key=$KEY \\\n"
    "    -d call=listPromoBatches -d page=0 https://panel.example/admin/api.php\n"
    "  promobridge import page*.json\n"
    "\b\nCodes that are in no batch come with call=listPromoCodes, and all that is to be\n"
    "known about one with call=getPromoDetailsByCode -d code=CODE.",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--dry-run", is_flag=True, help="Check and compare everything, store nothing.")
@as_json
def command(files: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Store answers that were saved from a real installation.

    A FILE holds the body of listPromoBatches, listPromoCodes or getPromoDetailsByCode, or
    several of them one after another; - is standard input. Ids are kept. What is stored already
    is compared and set to what the file says, but for uses counted here and codes stopped here.
    When anything is refused, nothing is stored.
    """
    from app.exchange import saved_answers  # what it needs, other commands start without

    with output.store() as settings:
        taken = saved_answers.store_files(
            files, ZoneInfo(settings.timezone), dry_run=dry_run, progress=progress
        )
    counts = {"batches": _summary(taken.batches), "coupons": _summary(taken.coupons)}
    if as_json:
        both = _summary(taken.batches + taken.coupons)
        put_json({**both, "files": len(files), **counts, "dry_run": dry_run})
        return
    output.put_table(
        ("", "read", *OUTCOMES), ((name, *each.values()) for name, each in counts.items())
    )
    if dry_run:
        click.echo("Nothing was stored: this was a dry run.")


def _summary(outcomes: Counter[Any]) -> dict[str, int]:
    return {"read": outcomes.total(), **{name: outcomes[name] for name in OUTCOMES}}
