"""promobridge batch: generate batches of codes, list, find, show and export them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import click

from app.cli import batch_changes, batch_rows, terms_options
from app.cli.batch_rows import LIST_COLUMNS, described, put_rows
from app.cli.csv_output import put_csv, to_file
from app.cli.output import ID, printed, store
from app.exchange import csv_export
from calls.wire import batch_arguments, editing
from calls.wire.ids import LARGEST_COUNT
from models.promotions import batch_life, batches, coupons, generation
from models.promotions.batches import Batch
from models.promotions.terms import Terms
from models.store.base import snapshot
from models.store.errors import Invalid, NotFound

OWN = ("name", "prefix", "complexity", "length")
FOUND = 100
"""How many batches `find` lists at most."""


class Arguments(batch_arguments.NewBatch):
    """Declare the options of generate: as addPromoBatch, but more codes at once."""

    size = batch_arguments.Size(maximum=LARGEST_COUNT)


OPTIONS = Arguments.described()
DEFAULTS = {
    **{"complexity": "2", "length": "12", "coupon_type": "cart", "type": "percent"},
    **{"cycle": "once", "applyto": "price", "clients": "all"},
}


@click.group(name="batch")
def command() -> None:
    """Generate, grow, find, show, edit, archive, delete and export batches of codes."""


for each in (batch_changes.edit, batch_changes.archive, batch_changes.grow, batch_changes.delete):
    command.add_command(each)


@command.command(
    epilog="\b\nExamples:\n"
    "  promobridge batch generate --name Spring --prefix SP- --size 1000 --value 10\n"
    "  promobridge batch generate --name Loyal --size 50 --type fixed --value 5.50 \\\n"
    "      --clients existing --cycles Monthly,Annually --max-usage 1 --expires 2030-12-31\n"
    "  promobridge batch generate --resume 7"
)
@terms_options.declared(OPTIONS, DEFAULTS)
@click.option(
    "--dense",
    is_flag=True,
    help="Fill more than a millionth of the possible codes: they are easier to guess then.",
)
@click.option("--resume", type=ID, metavar="ID", help="Finish this batch.")
@printed()
@click.pass_context
def generate(
    context: click.Context, resume: int | None, dense: bool, **options: Any
) -> dict[str, Any]:
    """Make a batch of random codes, or finish one with --resume.

    LIST stands for values with commas between them; the option can also be given again.
    """
    if resume is not None:
        terms_options.refuse_given(context, (*OPTIONS, "dense"), "--resume")
    if options["readable"] and "complexity" not in terms_options.typed(context, ("complexity",)):
        options["complexity"] = None  # the default is for codes that are not
    batch = batches.by_id(resume) if resume is not None else _added(options, dense)
    return batch_rows.fill(batch)


@command.command(name="list", epilog="Example: promobridge batch list --page 1 --limit 50")
@click.option(
    "--page", type=click.IntRange(0, 10**9), default=0, show_default=True, help="Counted from 0."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=25, show_default=True, help="Batches a page."
)
@printed(text=lambda page: put_rows(page["batches"]))
def list_(page: int, limit: int) -> dict[str, Any]:
    """List batches, newest first."""
    with snapshot():
        total, listed = batches.page(page, limit)
        rows = _rows([row[0] for row in listed.rows()])
    return {"batches": rows, "page": page, "limit": limit, "total": total}


@command.command(
    epilog="\b\nExamples:\n"
    "  promobridge batch find spring\n"
    "  promobridge batch find SP-4UWI6X0WQZ8K"
)
@click.argument("text")
@printed(text=put_rows)
def find(text: str) -> list[dict[str, Any]]:
    """List the batches with TEXT in their name or prefix, and the one with this code.

    Capitals and small letters are alike in names; the newest come first, 100 at most.
    """
    with snapshot():
        ids = set(batches.like(text)[:FOUND])
        with suppress(NotFound, UnicodeEncodeError):  # such bytes are in no store
            ids |= {coupons.by_code(text).batch_id} - {coupons.ALONE}
        return _rows(sorted(ids, reverse=True))


@command.command(epilog="Example: promobridge batch show 7")
@click.argument("batch_id", metavar="ID", type=ID)
@printed()
def show(batch_id: int) -> dict[str, Any]:
    """Show a batch with its terms and counts."""
    return described(batches.by_id(batch_id))


def _names(context: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    if not value:
        return csv_export.OWN + csv_export.TERMS
    names = tuple(name.strip() for name in value.split(","))
    for name in names:
        if name not in csv_export.COLUMNS:
            near = get_close_matches(name, csv_export.COLUMNS, 1)
            advice = f", did you mean {near[0]}?" if near else ""
            there = ", ".join(csv_export.COLUMNS)
            raise click.BadParameter(f"there is no column {name}{advice} There are {there}")
    if len(set(names)) < len(names):
        raise click.BadParameter("names a column twice")
    return names


@command.command(
    epilog="\b\nExamples:\n"
    "  promobridge batch export 7 --output spring.csv\n"
    "  promobridge batch export 7 --columns code,status,used_at\n"
    "  promobridge batch export 7 --for-excel --output spring.csv\n"
    "  promobridge batch export 7 --codes-only | head\n"
    "  promobridge batch export 7 | promobridge coupon import -"
)
@click.argument("batch_id", metavar="ID", type=ID)
@to_file
@click.option(
    "--columns",
    "names",
    default="",
    metavar="LIST",
    callback=_names,
    help="Only these columns, in this order; id and used_at, the last use in UTC, can be too.",
)
@click.option("--codes-only", is_flag=True, help="Only the codes, without a header.")
@click.option(
    "--for-excel",
    is_flag=True,
    help='Begin with a BOM; write what Excel would read as a number or a date as ="TEXT".',
)
@click.pass_context
def export(
    context: click.Context,
    batch_id: int,
    output: str | None,
    no_clobber: bool,
    names: tuple[str, ...],
    codes_only: bool,
    for_excel: bool,
) -> None:
    """Write the codes of a batch as CSV in UTF-8, one line each, in the order they were made.

    A cell that a spreadsheet would run as a formula begins with an apostrophe instead. `coupon
    import` takes both that and ="TEXT" off again, and stores the codes with their status, their
    uses and their terms.
    """
    if codes_only:
        # As it was typed, not as the callback made it.
        if context.get_parameter_source("names") is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("--columns cannot be given with --codes-only")
        names = csv_export.OWN[:1]
    with store() as settings, snapshot():
        batch = batches.by_id(batch_id)
        pieces = csv_export.pieces(
            batch_id,
            names,
            places=settings.amount_places,
            header=not codes_only,
            for_excel=for_excel,
        )
        put_csv(pieces, output, no_clobber, f"Batch {batch_id}", batch.coupons_count)


def _added(options: Mapping[str, Any], dense: bool) -> Batch:
    """Return a new batch without codes. Raises UsageError with a line for each problem."""
    given = terms_options.loaded(Arguments, OPTIONS, options)
    batch_changes.warn_of_namesakes(given["name"])
    own = {name: given.pop(name) for name in OWN}
    size = given.pop("size")
    try:
        generation.check_room(own["prefix"], own["complexity"], own["length"], size, dense)
    except Invalid as problem:
        raise click.UsageError(problem.sentence) from None
    # guess: the notes given with a batch are its own and its coupons' alike.
    own["notes"] = given.get("notes", "")
    return batch_life.start(terms=editing.revised(Terms(), given), size=size, **own)


def _rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    found = {batch.id: batch for batch in Batch.select().where(Batch.id.in_(ids))}
    return [described(found[batch_id], LIST_COLUMNS) for batch_id in ids]
