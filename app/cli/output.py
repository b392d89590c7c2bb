"""Output of the commands: JSON, tables, progress bars, and the store they work on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from app import config, db
from models.store import schema

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C ended, as shells have it."""
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON value and nothing else."
)


@contextmanager
def store() -> Iterator[config.Settings]:
    """Open the store of the settings for one command."""
    settings = config.from_environment()
    bound = db.bind(settings)
    try:
        with bound.connection_context():
            schema.require_current()
            yield settings
    finally:
        bound.close_idle()


def put_json(value: Any) -> None:
    """Print one JSON value on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False))


def put_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in aligned columns under headings."""
    texts = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(len(row[at]) for row in texts) for at in range(len(headings))]
    for row in texts:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def put_fields(fields: Mapping[str, Any]) -> None:
    """Print one thing as lines of name and value."""
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name.ljust(width)}  {'' if value is None else value}")


def time_text(seconds: int | None) -> str | None:
    """Return Unix seconds as UTC text, None when unknown."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def progress(what: str, total: int) -> Iterator[Any]:
    """Yield a function that is told how much more is done; the bar is on standard error.

    Where standard error is not a terminal nothing is drawn.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    parts = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*parts, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
