"""promobridge db copy, backup and restore: the whole store in another database or in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from peewee import DatabaseError

from app import backups, config, db, other_stores
from app.backups import Backup
from app.cli.output import INTERRUPTED, as_json, progress, put_json, put_table, store, time_text
from models.store.base import database
from models.transfer import copying
from models.transfer.copying import Content

ENVIRONMENT = "env:"
STATUSES = "\b\nExit status: 0 done, 1 refused or different, 2 wrong usage, 130 stopped by Ctrl-C."


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge db copy sqlite:///promobridge.db postgresql://promo@db.example/promo\n"
    "  promobridge db copy env:PROMOBRIDGE_DATABASE_URL - < url-with-password.txt\n" + STATUSES
)
@click.argument("from_url")
@click.argument("to_url")
@as_json
def copy(from_url: str, to_url: str, as_json: bool) -> None:
    """Copy the whole store to an empty database, on the same or another engine.

    A URL is as in PROMOBRIDGE_DATABASE_URL. One with a password does not belong on a command
    line: env:NAME takes it from the environment, - from a line of standard input, FROM_URL first.

    What is copied is the store at the moment when the command began: others may go on writing,
    but what they write is not in the copy, so stop the servers before you move. Afterwards all
    rows are read back, and counts and digests of every table compared.

    Killed or stopped, the same command goes on: rows that the target has already are compared
    with the source as it is then, and all from the first difference on are copied again. Until
    the end no server starts on the target. A target that holds anything else, and a schema of
    another version, are refused.
    """
    settings = config.from_environment()
    with ExitStack() as opened, _going_on():
        source = other_stores.existing(_url(from_url), settings, "FROM_URL")
        opened.callback(source.close_all)
        target = db.opened(_url(to_url), settings, "TO_URL")
        opened.callback(target.close_all)
        with source.connection_context(), target.connection_context():
            copied = copying.transfer(source, target, progress)
    if as_json:
        put_json({"tables": _tables(copied)})
        return
    put_table(("table", "rows", "digest"), ((name, *each) for name, each in copied.items()))
    click.echo(f"Copied {_total(copied):,} rows; the target has the same counts and digests.")


@click.command(
    epilog="\b\nExamples:\n"
    '  promobridge db backup "backup-$(date +%F).db"\n'
    "  promobridge db backup --force /mnt/backups/promobridge.db --json\n" + STATUSES
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a FILE that is there.")
@as_json
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Write the store as it is at this moment to FILE, while the API goes on.

    FILE appears when it is whole, read back and on the disk, and is for its owner only. Whatever
    engine the store is on, it is an SQLite store with the digest of each table: `db restore`
    brings it to any engine, and a server can run on it.
    """
    with store(), _going_on(""):
        made = backups.make(database.obj, file, progress, force)
    _put(made, as_json, f"Backed up to {file}")


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge db restore backup-2026-11-22.db\n"
    "  promobridge db restore --replace --yes backup-2026-11-22.db\n" + STATUSES
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Give up what the database holds now.")
@click.option("--yes", is_flag=True, help="Do not ask; --replace needs it without a terminal.")
@as_json
def restore(file: Path, replace: bool, yes: bool, as_json: bool) -> None:
    """Bring the database of the settings to what FILE holds, a backup made by `db backup`.

    FILE is proved first: whole, of this version's schema, and row by row as it was made. Stop the
    servers before. Killed or stopped, the same command goes on, and no server starts meanwhile.

    A backup of an older version is brought here with `db upgrade` and `db copy`: it is an SQLite
    store itself.
    """
    if replace and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("--replace needs --yes where nobody can be asked")
        click.confirm("Give up all that the database holds now?", abort=True, err=True)
    settings = config.from_environment()
    target = db.opened(settings.database_url, settings)
    with _going_on(), target.connection_context():
        restored = backups.restore(file, target, progress, replace)
    target.close_all()
    _put(restored, as_json, f"Restored from {file}")


@contextmanager
def _going_on(cure: str = "The same command goes on with it.") -> Iterator[None]:
    """Let Ctrl-C, and a file that SQLite cannot read, end a command with a sentence."""
    try:
        yield
    except DatabaseError as problem:
        if type(problem) is not DatabaseError:
            raise
        raise click.ClickException(f"The file is no database, or damaged: {problem}") from None
    except KeyboardInterrupt:
        click.echo(f"Stopped. {cure}".strip(), err=True)
        raise SystemExit(INTERRUPTED) from None


def _url(given: str) -> str:
    """Return a URL that may be given where no process list shows it."""
    if given == "-":
        return sys.stdin.readline().strip()
    if given.startswith(ENVIRONMENT):
        return config.url_in(given.removeprefix(ENVIRONMENT))
    return given


def _put(done: Backup, as_json: bool, sentence: str) -> None:
    made_at = time_text(done.made_at)
    if as_json:
        put_json({"made_at": made_at, "tables": _tables(done.tables)})
        return
    put_table(("table", "rows"), ((name, each.rows) for name, each in done.tables.items()))
    click.echo(f"{sentence}: {_total(done.tables):,} rows as of {made_at}.")


def _tables(found: Mapping[str, Content]) -> dict[str, Any]:
    return {name: content._asdict() for name, content in found.items()}


def _total(found: Mapping[str, Content]) -> int:
    return sum(content.rows for content in found.values())
