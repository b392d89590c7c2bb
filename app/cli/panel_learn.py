"""promobridge panel: whom the panel knows."""

from __future__ import annotations

from typing import Any

import click

from app.cli.output import fields_of, printed, time_text
from models.access.accesses import Access
from models.panel import learning
from models.store import clock
from models.store.errors import Invalid

MOST_HOURS = 24 * 31
COLUMNS = ("api_id", "ip", "until", "state")


def register(group: click.Group) -> None:
    """Add the commands to `promobridge panel`."""
    group.add_command(learn)
    group.add_command(learned)


@click.command(
    epilog="""\b
Examples:
  promobridge panel learn --from 192.0.2.0/24 --from 198.51.100.7 --hours 48
  promobridge panel learn --stop
"""
)
@click.option(
    "--from",
    "networks",
    metavar="CIDR",
    multiple=True,
    help="An address or a network to learn from; may be given several times.",
)
@click.option(
    "--hours", type=click.IntRange(1, MOST_HOURS), default=24, show_default=True, help="How long."
)
@click.option("--stop", is_flag=True, help="End it now; what is not confirmed stops working.")
@printed()
def learn(networks: tuple[str, ...], hours: int, stop: bool) -> dict[str, Any]:
    """Register each pair that the panel knows, for the addresses that it comes from.

    The panel is asked for its calls with the pair (getAPIMethods); two pairs that it refuses are
    tried in a minute. What is learned is provisional: it stops working when the learning ends,
    until `promobridge panel learned --confirm`.
    """
    if stop == bool(networks):
        raise click.UsageError("Name networks with --from, or give --stop.")
    if stop:
        learning.end()
        row = learning.state()
        if row is None:
            raise Invalid("Nothing has been learned yet")
    else:
        row = learning.begin(" ".join(networks), hours)
    return {"from": str(row.networks).split(), "until": time_text(row.ends_at)}


@click.command(
    epilog="""\b
Examples:
  promobridge panel learned
  promobridge panel learned --confirm
  promobridge panel learned --confirm 1122334455667788990a
"""
)
@click.argument("api_ids", metavar="[ID]...", nargs=-1)
@click.option("--confirm", is_flag=True, help="Keep them for good: those named, or all.")
@printed(*COLUMNS)
def learned(api_ids: tuple[str, ...], confirm: bool) -> list[dict[str, Any]]:
    """List the pairs that were learned and are not confirmed, or confirm them."""
    if api_ids and not confirm:
        raise click.UsageError("IDs go with --confirm.")
    waiting = learning.provisional()
    if confirm:
        known = {str(access.api_id) for access in waiting}
        for api_id in api_ids:
            if api_id not in known:
                raise Invalid(f"No pair with the id {api_id} waits to be confirmed")
        learning.confirm([*api_ids])
        waiting = [each for each in waiting if not api_ids or each.api_id in api_ids]
    return [_described(access, confirm) for access in waiting]


def _described(access: Access, is_confirmed: bool) -> dict[str, Any]:
    until = access.learned_until or 0
    state = "provisional" if until > clock.now() else "ended"
    return fields_of(
        access,
        COLUMNS,
        ip=access.ip_rule,
        until=None if is_confirmed else time_text(until),
        state="confirmed" if is_confirmed else state,
    )
