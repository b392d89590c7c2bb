"""promobridge coupon: import own codes; the group of what is done to single ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

import click

from app.cli import coupon_changes, coupon_rows, terms_options
from app.cli.lines import put_line
from app.cli.output import ID, as_json, progress, put_fields, put_json, store
from app.exchange import csv_days, csv_import, csv_text
from app.exchange.csv_headings import Layout
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


def _encoding(context: click.Context, param: click.Parameter, value: str) -> str:
    if value and not csv_text.is_encoding(value):
        raise click.BadParameter(f"{value} is none that is known; try utf-8, utf-16, windows-1252")
    return value


def _date_format(context: click.Context, param: click.Parameter, value: str) -> str:
    if value and not csv_days.is_format(value):
        raise click.BadParameter("must have a day, a month and a year, such as %d.%m.%Y")
    return value


def _renamed(
    context: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in value:
        heading, _, column = (part.strip() for part in each.rpartition("="))
        if not heading:
            raise click.BadParameter(f'{each} must be like "Coupon code=code"')
        if column and column not in csv_import.COLUMNS:
            nearest = Layout(csv_import.COLUMNS).proposal(column)
            advice = f", did you mean {nearest}?" if nearest else ""
            there = ", ".join(csv_import.COLUMNS)
            raise click.BadParameter(f"there is no column {column}{advice} There are {there}")
        found[heading] = column
    return found


@command.command(
    name="import",
    epilog="""\b
Examples:
  promobridge coupon import codes.csv --value 10 --max-usage 1 --dry-run
  promobridge coupon import codes.csv --batch 7 --skip-bad
  promobridge coupon import list.txt --value 10
  promobridge coupon import shop.csv --map "Coupon code=code" --map "Ends=expires" \\
      --date-format %d.%m.%Y --ignore-other-columns --value 5 --type fixed
  promobridge batch export 7 | promobridge coupon import -
\b
codes.csv:
  code,type,value,expires,products,uses
  SPRING-BERLIN,percent,10,2030-12-31,"5,7",0
  SPRING-TORUN,fixed,12.50,,,3
\b
Exit status: 0 stored, with --skip-bad all but the bad lines; 1 nothing was stored, as a line is
bad or the file or the store was refused; 2 wrong usage.
""",
)
@click.argument("path", metavar="FILE")
@click.option("--batch", type=ID, metavar="ID", help="Put the codes into this batch.")
@terms_options.declared(OPTIONS, {})
@click.option(
    "--map",
    "renamed",
    multiple=True,
    metavar="HEADING=COLUMN",
    callback=_renamed,
    help='Take a column under another heading; "HEADING=" leaves it out. Can be given again.',
)
@click.option("--ignore-other-columns", is_flag=True, help="Leave out columns with other headings.")
@click.option("--no-header", is_flag=True, help="Each line is a code, the first one too.")
@click.option(
    "--date-format",
    default="",
    metavar="FORMAT",
    callback=_date_format,
    help="How days are written, as in strptime: %d.%m.%Y. Default: 2030-12-31.",
)
@click.option(
    "--encoding",
    default="",
    metavar="NAME",
    callback=_encoding,
    help="What the file is in. Default: a guess among UTF-8, UTF-16 and Windows-1252.",
)
@click.option("--dry-run", is_flag=True, help="Check every line, store nothing.")
@click.option("--skip-bad", is_flag=True, help="Store the good lines although some are bad.")
@as_json
@click.pass_context
def import_(
    context: click.Context,
    path: str,
    batch: int | None,
    renamed: dict[str, str],
    ignore_other_columns: bool,
    no_header: bool,
    date_format: str,
    encoding: str,
    dry_run: bool,
    skip_bad: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Store codes that were made elsewhere from a CSV file, all of them or none.

    FILE has commas, semicolons or tabs, or what its line sep= says; - is standard input. Its first
    line names the columns: code, and any of status, active, uses and the arguments of addPromoCode
    (value, type, expires, max_usage, …), as `batch export` writes them; or it is a list of codes.
    An empty cell stands for the option of the same name; with --batch, which takes no terms beside
    it, for what the batch has. A LIST has commas between its values; of a moment such as
    2030-12-31T22:00:00Z the day in PROMOBRIDGE_TIMEZONE is taken. Blank lines are passed over.
    Codes that are live already and those on two lines are bad; so is a line Archived for a code
    that is live, which it would not stop.
    """
    if batch is not None:
        terms_options.refuse_given(context, OPTIONS, "--batch")
    if no_header and (renamed or ignore_other_columns):
        raise click.UsageError("--map and --ignore-other-columns need a header: no --no-header")
    given = terms_options.loaded(editing.TermsChange, OPTIONS, options)
    with store() as settings, csv_text.opened(path, encoding) as lines:
        zone = ZoneInfo(settings.timezone)
        outcome = csv_import.store(
            lines,
            given,
            clock.today(zone),
            progress,
            batch_id=batch or coupons.ALONE,
            skip_bad=skip_bad,
            dry_run=dry_run,
            layout=Layout(
                csv_import.COLUMNS,
                renamed,
                ignore_other_columns,
                header=False if no_header else None,
            ),
            date_format=date_format,
            zone=zone,
            places=settings.amount_places,
        )
    _put(outcome, dry_run, as_json)
    if outcome.bad and not skip_bad:
        context.exit(BAD_LINES)


def _put(outcome: Any, dry_run: bool, as_json: bool) -> None:
    for remark in outcome.remarks:
        put_line(remark, err=True)
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
