"""promobridge coupon: import own codes; the group of what is done to single ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

import click

from app.cli import coupon_changes, coupon_rows, terms_options
from app.cli.lines import put_line
from app.cli.output import ID, as_json, progress, put_fields, put_json, store
from app.exchange import csv_import, csv_sheets
from calls.wire import editing
from models.promotions import coupons
from models.store import clock

BAD_LINES = 1
"""The exit status of an import that bad lines kept from being stored."""
OPTIONS = editing.TermsChange.described()
"""The options of import; what none of them says is as generate has it."""


@click.group(name="coupon")
def command() -> None:
    """List, show, edit, revoke, reactivate and delete single coupons, import own codes."""


for each in (
    *(coupon_rows.list_, coupon_rows.show),
    *(coupon_changes.edit, coupon_changes.revoke, coupon_changes.reactivate),
    coupon_changes.delete,
):
    command.add_command(each)


@command.command(
    name="import",
    epilog="""\b
Examples:
  promobridge coupon import codes.csv --value 10 --max-usage 1 --dry-run
  promobridge coupon import codes.csv --batch 7 --skip-bad
\b
codes.csv:
  code,type,value,expires,products
  SPRING-BERLIN,percent,10,2030-12-31,"5,7"
  SPRING-TORUN,fixed,12.50,,
\b
Exit status: 0 stored, with --skip-bad all but the bad lines; 1 nothing was stored, as a line is
bad or the file or the store was refused; 2 wrong usage.
""",
)
@click.argument("path", metavar="FILE")
@click.option("--batch", type=ID, metavar="ID", help="Put the codes into this batch.")
@terms_options.declared(OPTIONS, {})
@click.option("--dry-run", is_flag=True, help="Check every line, store nothing.")
@click.option("--skip-bad", is_flag=True, help="Store the good lines although some are bad.")
@as_json
@click.pass_context
def import_(
    context: click.Context,
    path: str,
    batch: int | None,
    dry_run: bool,
    skip_bad: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Store codes that were made elsewhere from a CSV file, all of them or none.

    FILE is UTF-8 with commas, semicolons or tabs; - is standard input. Its first line names the
    columns: code, and any of status and the arguments of addPromoCode (value, type, expires,
    max_usage, …). An empty cell stands for the option of the same name, and that for the terms of
    the batch. A LIST has commas between its values. Blanks around a code, codes that are live
    already and those on two lines are bad.
    """
    if batch is not None:
        terms_options.refuse_given(context, OPTIONS, "--batch")
    given = terms_options.loaded(editing.TermsChange, OPTIONS, options)
    with store() as settings, csv_sheets.opened(path) as file:
        outcome = csv_import.store(
            file,
            given,
            clock.today(ZoneInfo(settings.timezone)),
            progress,
            batch_id=batch or coupons.ALONE,
            skip_bad=skip_bad,
            dry_run=dry_run,
        )
    _put(outcome, dry_run, as_json)
    if outcome.bad and not skip_bad:
        context.exit(BAD_LINES)


def _put(outcome: Any, dry_run: bool, as_json: bool) -> None:
    if as_json:
        put_json(asdict(outcome) | {"dry_run": dry_run})
        return
    for problem in outcome.problems:
        put_line(problem, err=True)
    rest = outcome.problems_count - len(outcome.problems)
    if rest:
        put_line(f"and {rest:,} more problems", err=True)
    put_fields({name: f"{getattr(outcome, name):,}" for name in ("read", "stored", "bad")})
    if dry_run:
        put_line("Nothing was stored: this was a dry run.")
    elif outcome.bad and not outcome.stored:
        put_line("Nothing was stored; --skip-bad stores the good lines.")
