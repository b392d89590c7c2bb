"""promobridge user: who may use the pages under /ui."""

from __future__ import annotations

from typing import Any

import click

from app.cli.output import as_meant, ask, fields_of, printed, typed
from models.people import invites, users
from models.people.users import ROLES, PageUser

COLUMNS = ("name", "role", "state", "seen_at", "created_at")
ROOT = "/ui"
EXAMPLES = """\b
Examples:
  promobridge user add anna --role admin --invite
  promobridge user add cron --role viewer --password - < password.txt
  promobridge user reset anna --at https://promo.example
"""
at = click.option(
    "--at",
    "base",
    metavar="URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="Where browsers reach this service, for the link.",
)


@click.group(name="user", epilog=EXAMPLES)
def command() -> None:
    """Make, list, disable and reset users of the pages."""


@command.command(epilog="Example: promobridge user add anna --role operator --invite")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the user may do.")
@click.option("--invite", is_flag=True, help="Print a link, good for a day, to set the password.")
@click.option("--password", metavar="-", help="- reads it from standard input; else it is asked.")
@at
@printed()
def add(name: str, role: str, invite: bool, password: str | None, base: str) -> dict[str, Any]:
    """Make a user; the pages are there as soon as one exists.

    A viewer sees, an operator also changes promotions, an admin also changes who may do what.
    """
    if invite:
        return _invited(users.add(name, role), base)
    if password is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    elif password != "-":  # noqa: S105  # no password
        raise click.UsageError("A password on the command line is seen by others: use --password -")
    return _described(users.add(name, role, typed(password)))


@command.command(name="list", epilog="Example: promobridge user list --json")
@printed(*COLUMNS)
def list_() -> list[dict[str, Any]]:
    """List the users."""
    return [_described(user) for user in users.listed()]


@command.command(epilog="Example: promobridge user disable anna")
@click.argument("name")
@printed()
def disable(name: str) -> dict[str, Any]:
    """Keep a user out and end all sessions."""
    return _described(users.enable(users.by_name(name).id, False))


@command.command(epilog="Example: promobridge user enable anna")
@click.argument("name")
@printed()
def enable(name: str) -> dict[str, Any]:
    """Let a user in again."""
    return _described(users.enable(users.by_name(name).id, True))


@command.command(epilog="Example: promobridge user reset anna --yes")
@click.argument("name")
@at
@as_meant
@printed()
def reset(name: str, base: str, yes: bool) -> dict[str, Any]:
    """Forget the password, end all sessions and print a link to set another."""
    ask(f"Forget the password of {name} and end all sessions?", yes)
    return _invited(users.reset(users.by_name(name).id), base)


def link(base: str, token: str) -> str:
    """Return the link of an invitation."""
    return f"{base.rstrip('/')}{ROOT}/invite/{token}"


def _invited(user: PageUser, base: str) -> dict[str, Any]:
    return _described(user) | {"link": link(base, invites.make(user))}


def _described(user: PageUser) -> dict[str, Any]:
    state = "enabled" if user.enabled else "disabled"
    return fields_of(user, COLUMNS, state=state if user.password else f"{state}, no password")
