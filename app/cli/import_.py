"""promobridge import: import saved answers of a real installation."""

from __future__ import annotations

from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import click

from app import config
from app.cli.lines import put_line
from app.cli.output import printed, progress, put_table, warn
from app.exchange import saved_answers

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
@printed(text=lambda value: _put(value))
def command(files: tuple[str, ...], dry_run: bool) -> dict[str, Any]:
    """Store answers that were saved from a real installation.

    A FILE holds the body of listPromoBatches, listPromoCodes or getPromoDetailsByCode, or
    several of them one after another; - is standard input. Ids are kept. What is stored already
    is compared and set to what the file says, but for uses counted here and codes stopped here.
    When anything is refused, nothing is stored. Codes of which only listPromoCodes is given are
    stored and listed, but cannot be used until their details are known.
    """
    zone = ZoneInfo(config.from_environment().timezone)
    taken = saved_answers.store_files(files, zone, dry_run=dry_run, warn=warn, progress=progress)
    return {
        **_summary(taken.batches + taken.coupons),
        "files": len(files),
        "batches": _summary(taken.batches),
        "coupons": _summary(taken.coupons),
        "dry_run": dry_run,
    }


def _put(value: dict[str, Any]) -> None:
    rows = ((name, *value[name].values()) for name in ("batches", "coupons"))
    put_table(("", "read", *OUTCOMES), rows)
    if value["dry_run"]:
        put_line("Nothing was stored: this was a dry run.")


def _summary(outcomes: Counter[Any]) -> dict[str, int]:
    return {"read": outcomes.total(), **{name: outcomes[name] for name in OUTCOMES}}
