"""promobridge db: the schema of the store, the check of its counts, copies and backups."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from app import config, db
from app.cli.lines import put_line
from app.cli.output import (
    as_json,
    printed,
    progress,
    put_json,
    put_table,
    store,
    text_of,
    time_text,
    typed,
)
from app.config import BadSetting
from app.exchange import backup as backups
from models.checks import recount
from models.checks.exact_codes import exact_codes
from models.store import schema
from models.store.base import database
from models.transfer.copy import copy_store
from models.transfer.tables import Content

NAMED = 10_000
"""Differences in one JSON value at most; all of them are counted."""
EXACT_NAMED = 100
"""Codes that an upgrade warns of by name."""
DIFFERENT = 1
"""The exit status of a check that found a difference."""


@click.group(name="db")
def command() -> None:
    """Upgrade the database, check its counts, copy it, back it up and restore it."""


@command.command(epilog="Example: promobridge db upgrade")
@printed(text=lambda value: _put_applied(value["migrations"]), within=nullcontext)
def upgrade() -> dict[str, list[str]]:
    """Run the migrations that this version needs and the database lacks."""
    with db.bind(config.from_environment()).connection_context():
        applied = schema.upgrade()
        if applied:
            _warn_of_exact_codes()
        return {"migrations": applied}


def _warn_of_exact_codes() -> None:
    count, named = exact_codes(EXACT_NAMED)
    for coupon_id, code, other in named:
        put_line(
            f"Warning: the code {code!r} (coupon {coupon_id}) is found by its exact spelling alone"
            + (f", any other is {other!r}" if other else ""),
            err=True,
        )
    if count > len(named):
        put_line(f"Warning: so are {count - len(named):,} more.", err=True)


def _put_applied(names: list[str]) -> None:
    for line in [f"applied {name}" for name in names] or ["The schema is current."]:
        put_line(line)


@command.command(
    epilog="""\b
Examples:
  promobridge db check
  promobridge db check --json
\b
Exit status: 0 all counts are right, 1 some differ or the store was refused, 2 wrong usage.
"""
)
@as_json
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Count again everything that the store keeps counted, and name each difference.

    The counts of batches, the uses of codes, whether used-up codes are inactive, and the lengths
    of lists are compared in one state of the store; nothing is changed, and the API goes on.
    """
    named: list[dict[str, Any]] = []
    count = 0
    with store(), progress("Counting", recount.size()) as advance:
        for found in recount.differences(advance):
            count += 1
            if not as_json:
                kept, counted = (text_of(each, "nothing") for each in found[1:])
                put_line(f"{found.what}: kept {kept}, counted {counted}")
            elif count <= NAMED:
                named.append(found._asdict())
    if as_json:
        put_json({"differences_count": count, "differences": named})
    elif not count:
        put_line("All counts are right.")
    if count:
        context.exit(DIFFERENT)


@command.command(
    epilog="Example: promobridge db copy sqlite:///promobridge.db env:NEW_DATABASE_URL"
)
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


@command.command(epilog='Example: promobridge db backup "backup-$(date +%F).db"')
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


@command.command(epilog="Example: promobridge db restore --replace --yes backup-2026-11-22.db")
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
    """Read a URL from an argument, an environment variable or standard input."""
    if not given.startswith("env:"):
        return typed(given)
    url = os.environ.get(given.removeprefix("env:"))
    if not url:
        raise BadSetting(f"There is no {given.removeprefix('env:')} in the environment")
    return url


def _put(sentence: str, as_json: bool, tables: dict[str, Content], **more: str | None) -> None:
    if as_json:
        put_json(more | {"tables": {name: each._asdict() for name, each in tables.items()}})
        return
    put_table(("table", "rows", "digest"), ((name, *each) for name, each in tables.items()))
    put_line(f"{sentence}: {sum(each.rows for each in tables.values()):,} rows.")
