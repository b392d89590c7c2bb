"""Output of the commands: JSON, tables, progress bars, and the store they work on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
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


def printed(*columns: str, empty: str = "") -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Run a command on the opened store and print the value that it returns.

    A dict is printed as lines, a list of dicts as a table of the columns or as `empty`; with
    --json either is one JSON value, which has what is no column too.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        @as_json
        @wraps(function)
        def command(*args: Any, as_json: bool, **options: Any) -> None:
            with store():
                value = function(*args, **options)
            if as_json:
                put_json(value)
            elif isinstance(value, dict):
                put_fields(value)
            elif empty and not value:
                click.echo(empty)
            else:
                headings = [column.upper().replace("_", " ") for column in columns]
                put_table(headings, ([row[column] for column in columns] for row in value))

        return command

    return decorate


def put_json(value: Any) -> None:
    """Print one JSON value on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False))


def put_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in aligned columns under headings."""
    texts = [list(headings), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in texts) for at in range(len(headings))]
    for row in texts:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def put_fields(fields: Mapping[str, Any]) -> None:
    """Print one thing as lines of name and value; a name inside it that is taken gets a prefix."""
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        inner = value if isinstance(value, dict) else {name: value}
        flat |= {f"{name}.{each}" if each in flat else each: inner[each] for each in inner}
    width = max(map(len, flat))
    for name, value in flat.items():
        click.echo(f"{name.ljust(width)}  {_text(value)}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "" if value is None else str(value)


def time_text(seconds: int | None) -> str | None:
    """Return Unix seconds as UTC text, None when unknown."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Any]:
    """Yield a function that is told how much more is done; the bar is on standard error.

    Without a total it says how much is done. Where standard error is no terminal nothing is drawn.
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
