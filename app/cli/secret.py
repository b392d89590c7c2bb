"""promobridge secret: make, list and revoke secrets of the REST API."""

from __future__ import annotations

from typing import Any

import click

from app.cli.output import ID, fields_of, printed, time_text, typed
from models.access import secrets
from models.access.secrets import Secret
from models.promotions.campaign_counts import Owner
from models.store import visibility

COLUMNS = ("id", "ends_with", "environment", "partner", "name", "state", "created")
EXAMPLES = """\b
Examples:
  promobridge secret add --name shop
  promobridge secret add --test --name shop
  promobridge secret add --name shop --secret - < secret.txt
  promobridge secret revoke 3
"""


@click.group(name="secret", epilog=EXAMPLES)
def command() -> None:
    """Make, list and revoke secrets of the REST API (header X-API-Secret)."""


@command.command(epilog="Example: promobridge secret add --test --name shop --json")
@click.option("--name", default="", help="The application that has the secret.")
@click.option("--test", is_flag=True, help="For the TEST environment, not LIVE.")
@click.option("--partner", default="", help="The partner whose campaigns it opens.")
@click.option("--secret", "text", metavar="SECRET", help="Register an existing one; - reads it.")
@printed()
def add(name: str, test: bool, partner: str, text: str | None) -> dict[str, Any]:
    """Make a secret, or register an existing one.

    It is shown this once: the store keeps only its digest.
    """
    owner = Owner(visibility.TEST if test else visibility.LIVE, partner)
    secret, shown = secrets.add(owner, name, text and typed(text))
    return {"secret": shown} | _described(secret)


@command.command(name="list", epilog="Example: promobridge secret list --json")
@printed(*COLUMNS)
def list_() -> list[dict[str, Any]]:
    """List the secrets by their last characters."""
    return [_described(secret) for secret in secrets.listed()]


@command.command(epilog="Example: promobridge secret revoke 3")
@click.argument("secret_id", metavar="ID", type=ID)
@printed()
def revoke(secret_id: int) -> dict[str, Any]:
    """End a secret for good."""
    return _described(secrets.revoke(secret_id))


@command.command(epilog="Example: promobridge secret deactivate 3")
@click.argument("secret_id", metavar="ID", type=ID)
@printed()
def deactivate(secret_id: int) -> dict[str, Any]:
    """Switch the application of a secret off."""
    return _described(secrets.activate(secret_id, False))


@command.command(epilog="Example: promobridge secret activate 3")
@click.argument("secret_id", metavar="ID", type=ID)
@printed()
def activate(secret_id: int) -> dict[str, Any]:
    """Switch the application of a secret on again."""
    return _described(secrets.activate(secret_id, True))


def _described(secret: Secret) -> dict[str, Any]:
    state = "active" if secret.active else "inactive"
    return fields_of(
        secret,
        COLUMNS,
        ends_with=secret.hint,
        environment=visibility.environment_name(secret.environment),
        state="revoked" if secret.revoked_at is not None else state,
        created=time_text(secret.created_at),
    )
