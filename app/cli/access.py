"""promobridge access: who may call the API, from where, and which calls."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import click

import calls
from app import config, redis_counter
from app.cli.lines import put_line
from app.cli.output import fields_of, printed, typed
from models.access import accesses
from models.access.accesses import Access, Pair
from models.store.errors import Invalid

COLUMNS = ("api_id", "name", "ip", "calls", "enabled", "locked", "created_at")
CALL = re.compile(r"[A-Za-z0-9]{1,64}")
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
    "rules",
    metavar="RULE",
    multiple=True,
    default=("all",),
    show_default=True,
    help="all, an address, address/bits or address/mask; may be given several times.",
)
@click.option("--locked", is_flag=True, help="The access cannot be removed.")
@printed()
def add(
    name: str, api_id: str | None, key: str | None, rules: tuple[str, ...], locked: bool
) -> dict[str, Any]:
    """Make an access with a new id and key, or register a given pair.

    The key is shown this once: the store keeps only its digest.
    """
    if (api_id is None) != (key is None):
        raise click.UsageError("--id and --key go together.")
    given = None
    if api_id is not None and key is not None:
        given = Pair(api_id, typed(key))
    access, pair = accesses.add(name, given, " ".join(rules), locked)
    return asdict(pair) | _described(access)


@command.command(name="list", epilog="Example: promobridge access list --json")
@printed(*COLUMNS)
def list_() -> list[dict[str, Any]]:
    """List the accesses in the order they were made, without their keys."""
    return [_described(access) for access in accesses.listed()]


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
@printed()
def allow(api_id: str, names: tuple[str, ...], every: bool) -> dict[str, Any]:
    """Let an access use more calls, or all of them."""
    if every == bool(names):
        raise click.UsageError("Name the calls, or give --all.")
    return _described(accesses.allow(api_id, None if every else _known(names)))


@command.command(epilog="Example: promobridge access deny 1122334455667788990a addPromoCode")
@click.argument("api_id", metavar="ID")
@click.argument("names", metavar="CALL...", nargs=-1, required=True)
@printed()
def deny(api_id: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Take calls from an access."""
    return _described(accesses.deny(api_id, _known(names), list(calls.registry())))


@command.command(
    epilog="""\b
Examples:
  promobridge access addresses 1122334455667788990a 192.0.2.7 198.51.100.0/24
  promobridge access addresses 1122334455667788990a all
"""
)
@click.argument("api_id", metavar="ID")
@click.argument("rules", metavar="RULE...", nargs=-1, required=True)
@printed()
def addresses(api_id: str, rules: tuple[str, ...]) -> dict[str, Any]:
    """Set the addresses and networks that an access may call from."""
    return _described(accesses.admit_from(api_id, " ".join(rules)))


@command.command(epilog="Example: promobridge access disable 1122334455667788990a")
@click.argument("api_id", metavar="ID")
@printed()
def disable(api_id: str) -> dict[str, Any]:
    """Switch an access off; it answers like an unknown one."""
    return _described(accesses.enable(api_id, False))


@command.command(epilog="Example: promobridge access enable 1122334455667788990a")
@click.argument("api_id", metavar="ID")
@printed()
def enable(api_id: str) -> dict[str, Any]:
    """Switch an access on again."""
    return _described(accesses.enable(api_id, True))


@command.command(epilog="Example: promobridge access remove 1122334455667788990a")
@click.argument("api_id", metavar="ID")
@printed()
def remove(api_id: str) -> dict[str, Any]:
    """Delete an access; a locked one stays."""
    accesses.remove(api_id)
    return {"api_id": api_id, "removed": True}


@command.command(epilog="Example: promobridge access unlock")
@printed(text=lambda _: put_line("All lockouts are ended."), within=nullcontext)
def unlock() -> dict[str, bool]:
    """End all lockouts and forget what was counted, where servers count in one Redis."""
    redis_counter.counter(config.from_environment().limits_url).clear()
    return {"unlocked": True}


def _known(names: tuple[str, ...]) -> list[str]:
    """Return the names of calls; in front of a panel there are others too. Raises Invalid."""
    unknown = [name for name in names if name not in calls.registry()]
    if config.from_environment().panel_url:
        unknown = [name for name in unknown if not CALL.fullmatch(name)]
    if unknown:
        raise Invalid(
            f"There is no call {', '.join(unknown)}; there are {', '.join(calls.registry())}"
        )
    return list(names)


def _described(access: Access) -> dict[str, Any]:
    calls_shown = "all" if access.calls is None else access.calls
    return fields_of(access, COLUMNS, ip=access.ip_rule, calls=calls_shown)
