"""promobridge access: who may call the API, from where, and which calls."""

from __future__ import annotations

import sys
from typing import Any

import click

import calls
from app import config
from app.cli.output import as_json, put_fields, put_json, put_table, store, time_text
from models.access import accesses
from models.access.accesses import Access, Pair
from models.store.errors import Invalid

EXAMPLES = """\b
Examples:
  promobridge access add --name shop
  promobridge access add --name shop --id 1122334455667788990a --key - < key.txt
  promobridge access deny 1122334455667788990a addPromoCode
  promobridge access allow 1122334455667788990a --all
\b
Exit status: 0 done, 1 refused, 2 wrong usage.
"""


@click.group(name="access", epilog=EXAMPLES)
def command() -> None:
    """Make, list, limit and remove API accesses."""


@command.command(
    epilog="""\b
Examples:
  promobridge access add --name shop --ip 192.0.2.0/24
  promobridge access add --id 1122334455667788990a --key - < key.txt
"""
)
@click.option("--name", default="", help="What the access is for.")
@click.option("--id", "api_id", metavar="ID", help="Register an existing id; needs --key.")
@click.option("--key", metavar="KEY", help="Its key; - reads it from standard input.")
@click.option(
    "--ip",
    metavar="RULE",
    default="all",
    show_default=True,
    help="all, an address, address/bits or address/mask.",
)
@click.option("--locked", is_flag=True, help="The access cannot be removed.")
@as_json
def add(
    name: str, api_id: str | None, key: str | None, ip: str, locked: bool, as_json: bool
) -> None:
    """Make an access with a new id and key, or register a given pair.

    The key is shown this once: the store keeps only its digest.
    """
    if (api_id is None) != (key is None):
        raise click.UsageError("--id and --key go together.")
    given = None
    if api_id is not None and key is not None:
        given = Pair(api_id, typed_secret(key))
    with store():
        access, pair = accesses.add(name, given, ip, locked)
    made = {"api_id": pair.api_id, "api_key": pair.api_key} | _described(access)
    if as_json:
        put_json(made)
    else:
        put_fields(made | {"calls": _calls_text(access)})


@command.command(name="list", epilog="Example: promobridge access list --json")
@as_json
def list_(as_json: bool) -> None:
    """List the accesses in the order they were made, without their keys."""
    with store():
        found = accesses.listed()
    if as_json:
        put_json([_described(access) for access in found])
        return
    put_table(
        ("ID", "NAME", "ADDRESSES", "CALLS", "STATE", "MADE"),
        (
            (
                access.api_id,
                access.name,
                access.ip_rule,
                _calls_text(access),
                _state(access),
                time_text(access.created_at),
            )
            for access in found
        ),
    )


@command.command(
    epilog="""\b
Examples:
  promobridge access allow 1122334455667788990a listPromoCodes
  promobridge access allow 1122334455667788990a --all
"""
)
@click.argument("api_id", metavar="ID")
@click.argument("names", metavar="[CALL]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Open every call, later ones too.")
@as_json
def allow(api_id: str, names: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Let an access use more calls, or all of them."""
    if every == bool(names):
        raise click.UsageError("Name the calls, or give --all.")
    with store():
        _put(accesses.allow(api_id, None if every else _known(names)), as_json)


@command.command(epilog="Example: promobridge access deny 1122334455667788990a addPromoCode")
@click.argument("api_id", metavar="ID")
@click.argument("names", metavar="CALL...", nargs=-1, required=True)
@as_json
def deny(api_id: str, names: tuple[str, ...], as_json: bool) -> None:
    """Take calls from an access."""
    with store():
        _put(accesses.deny(api_id, _known(names), list(calls.registry())), as_json)


@command.command(epilog="Example: promobridge access disable 1122334455667788990a")
@click.argument("api_id", metavar="ID")
@as_json
def disable(api_id: str, as_json: bool) -> None:
    """Switch an access off; it answers like an unknown one."""
    with store():
        _put(accesses.enable(api_id, False), as_json)


@command.command(epilog="Example: promobridge access enable 1122334455667788990a")
@click.argument("api_id", metavar="ID")
@as_json
def enable(api_id: str, as_json: bool) -> None:
    """Switch an access on again."""
    with store():
        _put(accesses.enable(api_id, True), as_json)


@command.command(epilog="Example: promobridge access remove 1122334455667788990a")
@click.argument("api_id", metavar="ID")
@as_json
def remove(api_id: str, as_json: bool) -> None:
    """Delete an access; a locked one stays."""
    with store():
        accesses.remove(api_id)
    if as_json:
        put_json({"api_id": api_id, "removed": True})
    else:
        click.echo(f"The access {api_id} is removed.")


@command.command(epilog="Example: promobridge access unlock")
@as_json
def unlock(as_json: bool) -> None:
    """End all lockouts and forget what was counted, where servers count in one Redis."""
    from app.limits import Limits

    Limits(config.from_environment()).clear()
    if as_json:
        put_json({"unlocked": True})
    else:
        click.echo("All lockouts are ended.")


def typed_secret(given: str) -> str:
    """Return a key given on the command line; `-` reads it, so that no process list shows it."""
    return sys.stdin.readline().strip() if given == "-" else given


def _known(names: tuple[str, ...]) -> list[str]:
    unknown = [name for name in names if name not in calls.registry()]
    if unknown:
        raise Invalid(
            f"There is no call {', '.join(unknown)}; there are {', '.join(calls.registry())}"
        )
    return list(names)


def _put(access: Access, as_json: bool) -> None:
    if as_json:
        put_json(_described(access))
    else:
        put_fields(_described(access) | {"calls": _calls_text(access)})


def _described(access: Access) -> dict[str, Any]:
    return {
        "api_id": access.api_id,
        "name": access.name,
        "ip": access.ip_rule,
        "calls": "all" if access.calls is None else access.calls,
        "enabled": access.enabled,
        "locked": access.locked,
        "created_at": time_text(access.created_at),
    }


def _calls_text(access: Access) -> str:
    return "all" if access.calls is None else ", ".join(access.calls) or "none"


def _state(access: Access) -> str:
    return ("enabled" if access.enabled else "disabled") + (", locked" if access.locked else "")
