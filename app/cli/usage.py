"""promobridge usage: the log of the calls of both APIs."""

from __future__ import annotations

from typing import Any

import click

from app.cli import output
from app.cli.csv_output import pieces_of, put_csv
from app.cli.output import ID, fields_of, printed, put_json, put_table, store, time_text
from models.access import accesses, daily_calls, usage
from models.access.daily_calls import DAY_SECONDS
from models.access.usage import ApiUsage
from models.store import base, clock

SUMMARY_COLUMNS = ("api_id", "name", "call", "route", "calls", "failed", "last_at")
COLUMNS = ("id", "at", "call", "success", "message", "api_id", "address", "route")


@click.group(name="usage")
def command() -> None:
    """Show who called the APIs, when, and how it went."""


@command.command(
    name="list",
    epilog="\b\nExamples:\n"
    "  promobridge usage list --call addPromoCode\n"
    "  promobridge usage list --secret 3\n"
    "  promobridge usage list --call 'POST /campaigns/{slug}/redeem'",
)
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="How many."
)
@click.option("--api-id", help="Only the calls of this access.")
@click.option("--secret", type=ID, metavar="ID", help="Only the requests with this secret.")
@click.option("--call", help="Only this call, or method and path of the REST API.")
@printed(*COLUMNS[1:])
def list_(
    limit: int, api_id: str | None, secret: int | None, call: str | None
) -> list[dict[str, Any]]:
    """List the calls of both APIs, newest first; those of the last seconds may be on their way.

    Requests of the REST API have the id of their secret, as in `promobridge secret list`.
    """
    if secret is not None:
        if api_id is not None:
            raise click.UsageError("--secret cannot be given with --api-id")
        api_id = usage.of_secret(secret)
    with base.snapshot():
        rows = map(ApiUsage.of_row, usage.newest(0, limit, api_id, call))
    return [fields_of(row, COLUMNS, at=time_text(row.at)) for row in rows]


@command.command(
    epilog="\b\nExamples:\n"
    "  promobridge usage summary --days 7\n"
    "  promobridge usage summary --csv > calls.csv",
)
@click.option(
    "--days",
    default=30,
    show_default=True,
    type=click.IntRange(1, 36_500),
    help="Count the calls of today and of so many days before (UTC).",
)
@click.option(
    "--limit",
    default=1000,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="How many rows at most.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@output.as_json
def summary(days: int, limit: int, as_csv: bool, as_json: bool) -> None:
    """Count the calls of both APIs by access or secret, call and route, the most frequent first.

    The route of a call that is not `local` is how it went to the panel: what is left to move.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv cannot be given with --json")
    with store(), base.snapshot():
        names = {access.api_id: access.name for access in accesses.listed()}
        rows = [
            {
                **each._asdict(),
                "name": names.get(each.api_id, ""),
                "last_at": time_text(each.last),
            }
            for each in daily_calls.summary(clock.now() - days * DAY_SECONDS, limit)
        ]
    cells = [[row[column] for column in SUMMARY_COLUMNS] for row in rows]
    if as_json:
        put_json([dict(zip(SUMMARY_COLUMNS, row, strict=True)) for row in cells])
    elif as_csv:
        put_csv(pieces_of(SUMMARY_COLUMNS, [rows]), None, False, "Calls")
    else:
        put_table([column.upper().replace("_", " ") for column in SUMMARY_COLUMNS], cells)
