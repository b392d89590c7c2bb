"""promobridge db: the schema of the store, whether its counts are right, and its copies."""

from __future__ import annotations

from typing import Any

import click

from app import config, db
from app.cli import db_copies
from app.cli.output import as_json, progress, put_json, store
from models.checks import recount
from models.store import schema

NAMED = 10_000
"""Differences in one JSON value at most; all of them are counted."""
DIFFERENT = 1
"""The exit status of a check that found a difference."""


@click.group(name="db")
def command() -> None:
    """Upgrade the database, check its counts, copy it, back it up and restore it."""


command.add_command(db_copies.copy)
command.add_command(db_copies.backup)
command.add_command(db_copies.restore)


@command.command(epilog="Example: promobridge db upgrade")
@as_json
def upgrade(as_json: bool) -> None:
    """Run the migrations that this version needs and the database lacks."""
    with db.bind(config.from_environment()).connection_context():
        done = schema.upgrade()
    if as_json:
        put_json({"migrations": done})
    else:
        click.echo("\n".join(f"applied {name}" for name in done) or "The schema is current.")


@command.command(
    epilog="""\b
Examples:
  promobridge db check
  promobridge db check --json
\b
Exit status: 0 all counts are right, 1 some differ or the store was refused, 2 wrong usage.
"""
)
@as_json
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Count again everything that the store keeps counted, and name each difference.

    The counts of batches, the uses of codes, whether used-up codes are inactive, and the lengths
    of lists are compared in one state of the store; nothing is changed, and the API goes on.
    """
    named: list[dict[str, Any]] = []
    count = 0
    with store(), progress("Counting", recount.size()) as advance:
        for found in recount.differences(advance):
            count += 1
            if not as_json:
                click.echo(
                    f"{found.what}: kept {_text(found.kept)}, counted {_text(found.counted)}"
                )
            elif count <= NAMED:
                named.append(found._asdict())
    if as_json:
        put_json({"differences_count": count, "differences": named})
    elif not count:
        click.echo("All counts are right.")
    if count:
        context.exit(DIFFERENT)


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
