"""promobridge batch: generate batches of codes, list, show and export them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from app.cli import terms_options
from app.cli.lines import put_line, visible
from app.cli.output import (
    ID,
    INTERRUPTED,
    fields_of,
    printed,
    progress,
    put_table,
    store,
)
from app.exchange import csv_export, private_files
from calls.wire import batch_arguments, editing
from calls.wire.ids import LARGEST_COUNT
from models.promotions import batches, generation
from models.promotions.batches import Batch
from models.promotions.terms import Terms
from models.store.base import change, snapshot
from models.store.errors import AWAY, Invalid

OWN = ("name", "prefix", "complexity", "length")
COLUMNS = (
    *("id", "name", "status", "prefix", "complexity", "length", "requested", "made", "complete"),
    *("coupons_count", "coupons_used", "notes", "created_at", "updated_at", "terms"),
)
LIST_COLUMNS = (
    *("id", "name", "status", "prefix", "coupons_count", "coupons_used"),
    *("requested", "made", "complete", "created_at"),
)


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
    """Generate batches of codes, list, show and export them."""


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
    batch = batches.by_id(resume) if resume is not None else _added(options, dense)
    _fill(batch)
    return _described(batches.by_id(batch.id), COLUMNS)


@command.command(name="list", epilog="Example: promobridge batch list --page 1 --limit 50")
@click.option(
    "--page", type=click.IntRange(0, 10**9), default=0, show_default=True, help="Counted from 0."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=25, show_default=True, help="Batches a page."
)
@printed(text=lambda page: _put_page(page["batches"]))
def list_(page: int, limit: int) -> dict[str, Any]:
    """List batches, newest first."""
    with snapshot():
        total, listed = batches.page(page, limit)
        ids = [row[0] for row in listed.rows()]
        found = {batch.id: batch for batch in Batch.select().where(Batch.id.in_(ids))}
    rows = [_described(found[batch_id], LIST_COLUMNS) for batch_id in ids]
    return {"batches": rows, "page": page, "limit": limit, "total": total}


@command.command(epilog="Example: promobridge batch show 7")
@click.argument("batch_id", metavar="ID", type=ID)
@printed()
def show(batch_id: int) -> dict[str, Any]:
    """Show a batch with its terms and counts."""
    return _described(batches.by_id(batch_id), COLUMNS)


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
@click.option("--output", metavar="FILE", help="Write this file, for its owner only to read.")
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
        if output is None:
            on_terminal = sys.stdout.isatty()
            for _, piece in pieces:
                click.echo(_shown(piece) if on_terminal else piece, nl=False)
            return
        with (
            private_files.replacing(Path(output)) as name,
            name.open("wb") as file,
            progress(f"Batch {batch_id}", batch.coupons_count) as advance,
        ):
            for count, piece in pieces:
                file.write(piece)
                advance(count)


def _added(options: Mapping[str, Any], dense: bool) -> Batch:
    """Return a new batch without codes. Raises UsageError with a line for each problem."""
    given = terms_options.loaded(Arguments, OPTIONS, options)
    own = {name: given.pop(name) for name in OWN}
    size = given.pop("size")
    try:
        generation.check_room(own["prefix"], own["complexity"], own["length"], size, dense)
    except Invalid as problem:
        raise click.UsageError(problem.sentence) from None
    # guess: the notes given with a batch are its own and its coupons' alike.
    own["notes"] = given.get("notes", "")
    with change():
        return batches.add(terms=editing.revised(Terms(), given), requested=size, **own)


def _shown(piece: bytes) -> str:
    """Return CSV as a terminal shows it."""
    return visible(piece.decode().replace("\r\n", "\n"), "\n")


def _fill(batch: Batch) -> None:
    try:
        with progress(f"Batch {batch.id}", batch.requested - batch.made) as advance:
            generation.fill(batch, advance)
    except KeyboardInterrupt:
        # A chunk may have been stored in the moment of the signal.
        now = batches.by_id(batch.id)
        put_line(
            f"Stopped: batch {batch.id} has {now.made:,} of {batch.requested:,} codes. "
            f"To finish it: promobridge batch generate --resume {batch.id}",
            err=True,
        )
        raise SystemExit(INTERRUPTED) from None
    except AWAY:
        put_line(f"To finish it: promobridge batch generate --resume {batch.id}", err=True)
        raise


def _described(batch: Batch, columns: Iterable[str]) -> dict[str, Any]:
    return fields_of(batch, columns, status="Active" if batch.live else "Archived")


def _put_page(rows: list[dict[str, Any]]) -> None:
    if not rows:
        put_line("There is no batch here.")
        return
    for row in rows:
        made = f"incomplete: {row['made']} of {row['requested']} made"
        row[""] = "" if row["complete"] else made
    columns = ("id", "name", "status", "coupons_count", "coupons_used", "created_at", "")
    put_table(
        ("id", "name", "status", "codes", "used", "created", ""),
        ([row[column] for column in columns] for row in rows),
    )
