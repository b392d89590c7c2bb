"""promobridge audit: who changed what, before and after."""

from __future__ import annotations

from typing import Any

import click

from app.cli.output import ID, fields_of, printed, time_text
from models.store.audit import AuditEntry
from models.store.base import snapshot

COLUMNS = (
    *("id", "at", "actor_kind", "actor", "address", "action"),
    *("subject_kind", "subject_id", "subject", "reason", "before", "after", "undone_at"),
)
SHOWN = ("at", "actor_kind", "actor", "address", "action", "subject_kind", "subject", "reason")
EXAMPLES = """\b
Examples:
  promobridge audit list
  promobridge audit list --actor anna --limit 500 --json
  promobridge audit list --subject batch --id 65
"""


@click.group(name="audit", epilog=EXAMPLES)
def command() -> None:
    """Show who changed what, when, from where, before and after."""


@command.command(name="list", epilog="Example: promobridge audit list --actor anna --json")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="How many."
)
@click.option("--actor", help="Only what this user, access, secret or operator changed.")
@click.option("--subject", help="Only changes of batches (batch), codes (code), users (user), …")
@click.option("--id", "row_id", type=ID, metavar="ID", help="Only changes of the one with this id.")
@printed(*SHOWN)
def list_(
    limit: int, actor: str | None, subject: str | None, row_id: int | None
) -> list[dict[str, Any]]:
    """List changes by pages, calls, the REST API and commands, newest first."""
    query = AuditEntry.select()
    for column, value in (
        (AuditEntry.actor, actor),
        (AuditEntry.subject_kind, subject),
        (AuditEntry.subject_id, row_id),
    ):
        if value is not None:
            query = query.where(column == value)
    with snapshot():
        found = list(query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(limit))
    return [fields_of(each, COLUMNS, at=time_text(each.at)) for each in found]
