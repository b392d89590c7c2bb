"""promobridge db: the schema of the store."""

from __future__ import annotations

import click

from app import config, db
from app.cli.output import as_json, put_json
from models import schema


@click.group(name="db")
def command() -> None:
    """Look after the database schema."""


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
