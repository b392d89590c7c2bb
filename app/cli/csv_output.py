"""CSV as the output of a command: on standard output, or as a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

from app.cli.lines import visible
from app.cli.output import progress, text_of, written
from app.exchange.csv_cells import csv_bytes, escape_formula

Pieces = Iterable[tuple[int, bytes]]
"""Bytes of CSV, each with how many lines it has beside a header."""


def as_csv(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options --csv, --output and --no-clobber, for `put_csv`."""
    flag = click.option(
        "--csv", "as_csv", is_flag=True, help="Write all there is as CSV in UTF-8, no page."
    )
    return flag(to_file(function))


def to_file(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options --output and --no-clobber, for `put_csv`."""
    output = click.option(
        "--output", metavar="FILE", help="Write this file, for its owner only to read."
    )
    no_clobber = click.option(
        "--no-clobber", is_flag=True, help="Refuse a FILE that is there, instead of a warning."
    )
    return output(no_clobber(function))


def refuse_without_csv(as_csv: bool, as_json: bool, output: str | None, paged: bool) -> None:
    """Raise UsageError for options of pages or JSON beside --csv, and for a file without it."""
    if as_csv and (as_json or paged):
        raise click.UsageError("--csv cannot be given with --json or the options of a page")
    if output is not None and not as_csv:
        raise click.UsageError("--output goes with --csv")


def pieces_of(
    columns: Sequence[str], slices: Iterable[Sequence[dict[str, Any]]]
) -> Iterator[tuple[int, bytes]]:
    """Yield CSV of rows, which come in slices, with the columns as its header."""
    yield 0, csv_bytes([columns])
    for rows in slices:
        yield len(rows), csv_bytes([_cell(row[name]) for name in columns] for row in rows)


def put_csv(
    pieces: Pieces, output: str | None, no_clobber: bool, what: str, total: int | None = None
) -> None:
    """Write CSV to a file with a progress bar, or to standard output. Raises Invalid."""
    if output is None:
        on_terminal = sys.stdout.isatty()
        for _, piece in pieces:
            click.echo(_shown(piece) if on_terminal else piece, nl=False)
        return
    with written(output, no_clobber) as file, progress(what, total) as advance:
        for count, piece in pieces:
            file.write(piece)
            advance(count)


def _cell(value: Any) -> Any:
    # Numbers are meant as numbers, also in a sheet.
    return value if type(value) is int else escape_formula(text_of(value))


def _shown(piece: bytes) -> str:
    """Return CSV as a terminal shows it."""
    return visible(piece.decode().replace("\r\n", "\n"), "\n")
