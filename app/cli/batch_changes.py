"""promobridge batch edit, archive, grow and delete."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import click

from app import config
from app.cli import batch_rows, terms_options
from app.cli.output import ID, as_meant, ask, printed, warn
from calls.edit_promo_batch import OWN
from calls.wire import batch_arguments, editing, schemas
from models.promotions import batch_life, batches
from models.redemptions import batch_deletion
from models.store import clock


class Arguments(editing.TermsChange, batch_arguments.NameParams):
    """Declare the options of edit: as editPromoBatch, which has the batch's id beside them."""


OPTIONS = Arguments.described()
the_batch = click.argument("batch_id", metavar="ID", type=ID)


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge batch edit 7 --value 15 --expires 2030-12-31\n"
    '  promobridge batch edit 7 --name "Spring sale" --notes ""\n'
    "  promobridge batch edit 7 --status Active\n"
    "\b\nExit status: 0 changed, 1 refused, 2 wrong usage."
)
@the_batch
@terms_options.declared(OPTIONS, {})
@click.option(
    "--status",
    type=click.Choice((schemas.ACTIVE, schemas.ARCHIVED)),
    help="Archived codes cannot be used.",
)
@printed()
@click.pass_context
def edit(
    context: click.Context, batch_id: int, status: str | None, **options: Any
) -> dict[str, Any]:
    """Change a batch and those of its codes that have no terms of their own.

    What is not given stays. A new prefix is that of codes made later. LIST stands for values with
    commas between them.
    """
    typed = terms_options.typed(context, OPTIONS)
    if not typed and status is None:
        raise click.UsageError("Say what to change.")
    batch = batches.by_id(batch_id)
    given = terms_options.changes(Arguments, batch.terms, typed)
    if "name" in given:
        warn_of_namesakes(given["name"], batch_id)
    zone = zone_of_settings()
    with terms_options.wrong_usage():
        changed = batch_life.edit(
            batch_id,
            clock.today(zone),
            zone=zone,
            terms=editing.revising(given),
            config=editing.config_after,
            live=None if status is None else status == schemas.ACTIVE,
            **{name: given[name] for name in OWN if name in given},
        )
    return batch_rows.described(changed)


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge batch archive 7\n"
    "  promobridge batch edit 7 --status Active  # takes it back\n"
    "\b\nExit status: 0 archived, now or before; 1 refused; 2 wrong usage."
)
@the_batch
@printed()
def archive(batch_id: int) -> dict[str, Any]:
    """Archive a batch: none of its codes can be used any more."""
    zone = zone_of_settings()
    return batch_rows.described(batch_life.edit(batch_id, clock.today(zone), zone=zone, live=False))


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge batch grow 7 --size 500\n"
    "  promobridge batch generate --resume 7  # when it was broken off\n"
    "\b\nExit status: 0 all codes are made, 1 refused or broken off, 2 wrong usage, 130 Ctrl-C."
)
@the_batch
@click.option("--size", type=ID, required=True, metavar="N", help="How many codes to add.")
@click.option(
    "--dense",
    is_flag=True,
    help="Fill more than a millionth of the possible codes: they are easier to guess then.",
)
@printed()
def grow(batch_id: int, size: int, dense: bool) -> dict[str, Any]:
    """Make more codes in a batch, drawn as those that it has."""
    today = clock.today(zone_of_settings())
    return batch_rows.fill(batch_life.request_more(batch_id, size, today, dense))


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge batch delete 7\n"
    "  promobridge batch delete 7 --yes\n"
    "\b\nExit status: 0 deleted; 1 refused, or the answer was no; 2 wrong usage."
)
@the_batch
@as_meant
@printed()
def delete(batch_id: int, yes: bool) -> dict[str, Any]:
    """Delete a batch with its codes, for good; the log of redemptions keeps their uses.

    One that has uses must be archived first.
    """
    batch = batches.by_id(batch_id)
    ask(f"Delete the batch {batch.name} with its {batch.coupons_count:,} codes?", yes)
    batch = batch_deletion.delete(batch_id)
    return {"id": batch_id, "name": batch.name, "codes": batch.coupons_count, "deleted": True}


def warn_of_namesakes(name: str, batch_id: int = 0) -> None:
    """Warn when a batch has this name, other than the one that is given it."""
    others = [each for each in batches.named(name) if each != batch_id]
    if others:
        warn(f"There is a batch of this name already: {others[-1]}")


def zone_of_settings() -> ZoneInfo:
    """Return the time zone in which days begin and end."""
    return ZoneInfo(config.from_environment().timezone)
