"""promobridge db copy, backup and restore: the whole store in another database or in a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app import config, db
from app.cli.output import as_json, progress, put_json, put_table, store, time_text
from app.exchange import backup as backups
from models.store.base import database
from models.transfer.copy import copy_store
from models.transfer.tables import Content


@click.command(epilog="Example: promobridge db copy sqlite:///promobridge.db env:NEW_DATABASE_URL")
@click.argument("from_url")
@click.argument("to_url")
@as_json
def copy(from_url: str, to_url: str, as_json: bool) -> None:
    """Copy the whole store to an empty database, on the same or another engine.

    A URL is as in PROMOBRIDGE_DATABASE_URL. One with a password does not belong on a command
    line: env:NAME takes it from the environment, - from a line of standard input, FROM_URL first.

    One state of the source is copied, read back, and compared by counts and digests. Others may go
    on writing, but what they write is not in the copy: stop the servers before you move. None
    starts on a copy that was not finished; the same command starts over.
    """
    settings, from_url, to_url = config.from_environment(), _url(from_url), _url(to_url)
    if from_url == to_url:
        raise click.ClickException("FROM_URL and TO_URL are the same database")
    if from_url.startswith(db.SQLITE):
        source = backups.existing(Path(from_url.removeprefix(db.SQLITE)))
    else:
        source = db.opened(from_url, settings, "FROM_URL")
    target = db.opened(to_url, settings, "TO_URL")
    with backups.connected(source), backups.connected(target), progress("Copying") as advance:
        copied = copy_store(source, target, advance)
    _put("Copied, with the same counts and digests", as_json, copied)


@click.command(epilog='Example: promobridge db backup "backup-$(date +%F).db"')
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a FILE that is there.")
@as_json
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Write the store as it is at this moment to FILE, while the API goes on.

    FILE appears when it is whole, read back and on the disk, and is for its owner only. Whatever
    engine the store is on, it is an SQLite store with the digest of each table: `db restore`
    brings it to any engine, and a server can run on it.
    """
    with store(), progress("Copying") as advance:
        made_at, tables = backups.make(database.obj, file, advance, force)
    _put(f"Backed up to {file}", as_json, tables, made_at=time_text(made_at))


@click.command(epilog="Example: promobridge db restore --replace --yes backup-2026-11-22.db")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Give up what the database holds now.")
@click.option("--yes", is_flag=True, help="Say that --replace is meant.")
@as_json
def restore(file: Path, replace: bool, yes: bool, as_json: bool) -> None:
    """Bring the database of the settings to what FILE holds, a backup made by `db backup`.

    FILE is proved first: whole, of this version's schema, and row by row as it was made. Stop the
    servers before. None starts on a restore that was not finished; the same command starts over.

    A backup of an older version is brought here with `db upgrade` and `db copy`: it is an SQLite
    store itself.
    """
    if replace and not yes:
        raise click.UsageError("--replace needs --yes: it gives up all that the database holds")
    settings = config.from_environment()
    target = db.opened(settings.database_url, settings)
    with backups.connected(target), progress("Copying") as advance:
        made_at, tables = backups.restore(file, target, advance, replace)
    _put(f"Restored from {file}", as_json, tables, made_at=time_text(made_at))


def _url(given: str) -> str:
    """Return a URL that may be given where no process list shows it."""
    if given == "-":
        return sys.stdin.readline().strip()
    name = given.removeprefix("env:")
    return given if name == given else config.url_in(name)


def _put(sentence: str, as_json: bool, tables: dict[str, Content], **more: str | None) -> None:
    if as_json:
        put_json(more | {"tables": {name: each._asdict() for name, each in tables.items()}})
        return
    put_table(("table", "rows", "digest"), ((name, *each) for name, each in tables.items()))
    click.echo(f"{sentence}: {sum(each.rows for each in tables.values()):,} rows.")
