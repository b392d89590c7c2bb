"""promobridge usage: the log of the calls of both APIs."""

from __future__ import annotations

from typing import Any

import click

from app.cli.output import ID, fields_of, printed, time_text
from models.access import usage
from models.access.usage import ApiUsage
from models.store import base

COLUMNS = ("id", "at", "call", "success", "message", "api_id", "address")


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
