"""promobridge usage: the log of API calls."""

from __future__ import annotations

from typing import Any

import click

from app.cli.output import fields_of, printed, time_text
from models.access import usage
from models.access.usage import ApiUsage
from models.store import base

COLUMNS = ("id", "at", "call", "success", "message", "api_id", "address")


@click.group(name="usage")
def command() -> None:
    """Show who called the API, when, and how it went."""


@command.command(name="list", epilog="Example: promobridge usage list --call addPromoCode")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="How many."
)
@click.option("--api-id", help="Only the calls of this access.")
@click.option("--call", help="Only this call.")
@printed(*COLUMNS[1:])
def list_(limit: int, api_id: str | None, call: str | None) -> list[dict[str, Any]]:
    """List the calls of the API, newest first; those of the last seconds may be on their way."""
    with base.snapshot():
        rows = map(ApiUsage.of_row, usage.newest(0, limit, api_id, call))
    return [fields_of(row, COLUMNS, at=time_text(row.at)) for row in rows]
