"""promobridge secret: who may use the REST face."""

from __future__ import annotations

import sys
from typing import Any

import click

from app.cli.output import as_json, put_fields, put_json, put_table, store, time_text
from models.access import secrets
from models.access.secrets import Secret
from models.promotions.campaign_counts import Owner
from models.store import visibility

EXAMPLES = """\b
Examples:
  promobridge secret add --name shop
  promobridge secret add --test --name shop
  promobridge secret add --name shop --secret - < secret.txt
  promobridge secret revoke 3
"""


@click.group(name="secret", epilog=EXAMPLES)
def command() -> None:
    """Make, list and revoke secrets of the REST face (header X-API-Secret)."""


@command.command(epilog="Example: promobridge secret add --test --name shop --json")
@click.option("--name", default="", help="The application that has the secret.")
@click.option("--test", is_flag=True, help="For the TEST environment, not LIVE.")
@click.option("--partner", default="", help="The partner whose campaigns it opens.")
@click.option("--secret", "text", metavar="SECRET", help="Register an existing one; - reads it.")
@as_json
def add(name: str, test: bool, partner: str, text: str | None, as_json: bool) -> None:
    """Make a secret, or register an existing one.

    It is shown this once: the store keeps only its digest.
    """
    if text == "-":
        text = sys.stdin.readline().strip()
    with store():
        owner = Owner(visibility.TEST if test else visibility.LIVE, partner)
        secret, shown = secrets.add(owner, name, text)
    made = {"secret": shown} | _described(secret)
    put_json(made) if as_json else put_fields(made)


@command.command(name="list", epilog="Example: promobridge secret list --json")
@as_json
def list_(as_json: bool) -> None:
    """List the secrets by their last characters."""
    with store():
        found = [_described(secret) for secret in secrets.listed()]
    if as_json:
        put_json(found)
        return
    columns = ("id", "ends_with", "environment", "partner", "name", "state", "created")
    headings = [column.upper().replace("_", " ") for column in columns]
    put_table(headings, ([secret[column] for column in columns] for secret in found))


@command.command(epilog="Example: promobridge secret revoke 3")
@click.argument("secret_id", metavar="ID", type=click.IntRange(1))
@as_json
def revoke(secret_id: int, as_json: bool) -> None:
    """End a secret for good."""
    with store():
        _put(secrets.revoke(secret_id), as_json)


@command.command(epilog="Example: promobridge secret deactivate 3")
@click.argument("secret_id", metavar="ID", type=click.IntRange(1))
@as_json
def deactivate(secret_id: int, as_json: bool) -> None:
    """Switch the application of a secret off."""
    with store():
        _put(secrets.activate(secret_id, False), as_json)


@command.command(epilog="Example: promobridge secret activate 3")
@click.argument("secret_id", metavar="ID", type=click.IntRange(1))
@as_json
def activate(secret_id: int, as_json: bool) -> None:
    """Switch the application of a secret on again."""
    with store():
        _put(secrets.activate(secret_id, True), as_json)


def _put(secret: Secret, as_json: bool) -> None:
    put_json(_described(secret)) if as_json else put_fields(_described(secret))


def _described(secret: Secret) -> dict[str, Any]:
    state = "active" if secret.active else "inactive"
    return {
        "id": secret.id,
        "ends_with": secret.hint,
        "environment": visibility.environment_name(secret.environment),
        "partner": secret.partner,
        "name": secret.name,
        "state": "revoked" if secret.revoked_at is not None else state,
        "created": time_text(secret.created_at),
    }
