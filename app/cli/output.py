"""Output of the commands: JSON, tables, progress bars, and the store they work on."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import click

from app import config, db
from app.cli.lines import put_line, visible
from app.exchange import private_files
from calls.wire.ids import LARGEST_COUNT
from calls.wire.use_arguments import amount_text
from models.promotions.terms import CONTENT, Terms
from models.store import audit

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C ended, as shells have it."""
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON value and nothing else."
)
as_meant = click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
ID = click.IntRange(1, LARGEST_COUNT)
"""The type of an argument that is an id of the store."""
_ABOVE_ASCII = re.compile("[^ -~]")
_places: ContextVar[int] = ContextVar("places", default=0)


@contextmanager
def store() -> Iterator[config.Settings]:
    """Open the store of the settings for one command."""
    settings = config.from_environment()
    bound = db.bind(settings)
    token = _places.set(settings.amount_places)
    try:
        with bound.connection_context():
            db.require_ready(settings)
            audit.ACTOR.set(audit.Actor(audit.COMMAND, operator_name()))
            yield settings
    finally:
        _places.reset(token)
        bound.close_idle()


def operator_name() -> str:
    """Return who runs the command, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def printed(
    *columns: str,
    text: Callable[[Any], None] | None = None,
    within: Callable[[], AbstractContextManager[Any]] = store,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Run a command on the opened store, or `within` another context, and print what it returns.

    With --json it is one JSON value. Without, `text` prints it; else a dict is printed as lines
    and a list of dicts as a table of the columns.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        @as_json
        @wraps(function)
        def command(*args: Any, as_json: bool, **options: Any) -> None:
            with within():
                value = function(*args, **options)
            if as_json:
                put_json(value)
            elif text:
                text(value)
            elif isinstance(value, dict):
                put_fields(value)
            else:
                headings = [column.upper().replace("_", " ") for column in columns]
                put_table(headings, ([row[column] for column in columns] for row in value))

        return command

    return decorate


def fields_of(row: Any, columns: Iterable[str], **values: Any) -> dict[str, Any]:
    """Return columns of a row as JSON values, in this order; `values` override the row.

    Columns that end in `_at` are times, as UTC texts; amounts are texts with the decimals of
    the currency, or more where they have more; groups are lists of ids.
    """
    return {
        name: values[name] if name in values else _json(name, getattr(row, name))
        for name in columns
    }


def _json(name: str, value: Any) -> Any:
    if name.endswith("_at"):
        return time_text(value)
    if isinstance(value, Terms):
        return fields_of(value, (each for each in CONTENT if each != "extra"))
    if isinstance(value, Decimal):
        return amount_text(value, _places.get())
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, dict) else value


def typed(given: str) -> str:
    """Return an argument, or for `-` a line of standard input, which no process list shows."""
    return sys.stdin.readline().strip() if given == "-" else given


def warn(sentence: str) -> None:
    """Say on standard error what is done all the same."""
    put_line(f"Warning: {sentence}", err=True)


def ask(question: str, yes: bool) -> None:
    """Ask on the terminal unless --yes was given. Raises Abort for any other answer."""
    if not yes:
        click.confirm(visible(question), abort=True, err=True)


@contextmanager
def written(output: str, no_clobber: bool) -> Iterator[BinaryIO]:
    """Open a file that appears when it is whole; warn of one that it replaces. Raises Invalid."""
    path = Path(output)
    if path.is_file() and not no_clobber:
        warn(f"{path} is there already and is replaced")
    with private_files.replacing(path, not no_clobber) as name, name.open("wb") as file:
        yield file


def put_json(value: Any) -> None:
    """Print one JSON value on standard output, as one line that a terminal shows as it is."""
    text = json.dumps(value, ensure_ascii=False)
    click.echo(_ABOVE_ASCII.sub(_json_escape, text))


def _json_escape(found: re.Match[str]) -> str:
    """Return a character as JSON may write it: as it is only where it is shown as itself."""
    if found[0].isprintable():
        return found[0]
    point = ord(found[0])
    return f"\\u{point:04x}" if point < 0x10000 else json.dumps(found[0])[1:-1]


def put_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in aligned columns under headings."""
    texts = [list(headings), *([visible(text_of(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in texts) for at in range(len(headings))]
    for row in texts:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        put_line("  ".join(padded).rstrip())


def put_fields(fields: Mapping[str, Any]) -> None:
    """Print a dict as lines of name and value; names of nested dicts get a prefix if taken."""
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        inner = value if isinstance(value, dict) else {name: value}
        flat |= {f"{name}.{each}" if each in flat else each: inner[each] for each in inner}
    width = max(map(len, flat))
    for name, value in flat.items():
        put_line(f"{name.ljust(width)}  {text_of(value)}")


def text_of(value: Any, unset: str = "") -> str:
    """Return the text that tables and lines have for a value; `unset` stands for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return unset if value is None else str(value)


def time_text(seconds: int | None) -> str | None:
    """Return Unix seconds as UTC text, None when unknown."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Any]:
    """Show a progress bar on standard error; yield the function that advances it.

    Without a total it says how much is done. Where standard error is no terminal nothing is drawn.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with click.progressbar(count(), total, label=what, file=sys.stderr, show_pos=True) as bar:
        yield bar.update
