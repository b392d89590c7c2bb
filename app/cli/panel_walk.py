"""promobridge panel: the panel's promotions, read over its API."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import click
from peewee import SqliteDatabase

from app import config
from app.cli.lines import put_line
from app.cli.output import as_json, printed, progress, put_json, put_table, store
from app.config import BadSetting, Settings, variable
from app.exchange.saved_answers import loaded_file
from app.panel.client import Panel
from app.panel.walk import Reader
from app.panel.walk_storing import WalkStore, look_round
from models.imports.report import BATCH, CODE, HALF, NAMED, REFUSED, VANISHED, ReportedRow
from models.panel import walks
from models.panel.renumbering import Moved, Obstacles
from models.panel.walks import PanelAnswer, PanelWalk
from models.store import own_ids

SHOWN = 20
"""Rows of each outcome that are printed; with --json they are NAMED."""
at_rate = click.option(
    "--rate",
    type=click.FloatRange(0.01, 1000),
    default=5.0,
    show_default=True,
    help="How many calls a second are made at most.",
)
SOME_REFUSED = 1
"""The exit status of a walk that left rows out."""
COLUMNS = ("read", "new", "changed", "unchanged", VANISHED, REFUSED, HALF)


def register(group: click.Group) -> None:
    """Add the commands to `promobridge panel`."""
    group.add_command(walk)
    group.add_command(renumber)


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge panel walk --dry-run\n"
    "  promobridge panel walk --rate 20\n"
    "  promobridge panel walk --archive-missing --json\n"
    "\b\nExit status: 0 all rows are stored, 1 some were refused or it was stopped, 2 wrong usage."
)
@at_rate
@click.option("--dry-run", is_flag=True, help="Read and compare everything, store nothing.")
@click.option(
    "--archive-missing", is_flag=True, help="Archive what came from the panel and is gone there."
)
@as_json
@click.pass_context
def walk(
    context: click.Context, rate: float, dry_run: bool, archive_missing: bool, as_json: bool
) -> None:
    """Read all promotions of the panel over its API, and store them with their ids.

    All pages of batches and codes are read, and the details of each single code. Broken off, the
    same command goes on where it stopped. What differs from the store is named row by row; uses
    counted here and codes stopped here are kept.
    """
    with store() as settings:
        value = _walked(settings, rate, dry_run, archive_missing)
    put_json(value) if as_json else _put(value)
    if value["batches"][REFUSED] + value["coupons"][REFUSED]:
        context.exit(SOME_REFUSED)


def _walked(settings: Settings, rate: float, dry_run: bool, archive_missing: bool) -> Any:
    panel = panel_of(settings)
    with _kept(dry_run):
        under_way = walks.begun()
        with progress("Reading") as advance:
            reader = Reader(panel, under_way, rate, advance)
            reader.begin()
            reader.read_all()
        walked = WalkStore(under_way, ZoneInfo(settings.timezone))
        with progress("Storing") as advance:
            done = walked.store(advance, dry_run=dry_run, archive_missing=archive_missing)
        walks.finish(under_way, done.batches.total(), done.coupons.total())
    report = walked.report
    counts = {
        name: {"read": outcomes.total(), **outcomes, **report.counts[kind]}
        for name, kind, outcomes in (
            ("batches", BATCH, done.batches),
            ("coupons", CODE, done.coupons),
        )
    }
    return {
        "version": reader.version,
        "calls": reader.calls,
        **{name: {each: found.get(each, 0) for each in COLUMNS} for name, found in counts.items()},
        "rows": {outcome: [*map(_row, rows)] for outcome, rows in report.rows.items()},
        "dry_run": dry_run,
    }


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge panel renumber --dry-run\n"
    "  promobridge panel renumber page*.json\n"
    "\b\nExit status: 0 done, 1 refused, 2 wrong usage."
)
@click.argument("files", nargs=-1, metavar="[FILE...]")
@at_rate
@click.option("--dry-run", is_flag=True, help="Name the rows that are in the way, move none.")
@printed(text=lambda value: _put_moved(value))
def renumber(files: tuple[str, ...], rate: float, dry_run: bool) -> dict[str, Any]:
    """Give rows made here new ids where the panel has others under theirs.

    The panel is asked for its lists, or its answers are read from FILEs, as for `import`. Batches
    and codes get ids from 1,000,000,000, in one transaction for each batch, and their uses go
    along. Answers that were kept for an idempotency_key still tell the old ids.
    """
    obstacles = Obstacles()
    if files:
        for path in files:
            for records in loaded_file(path).values():
                obstacles.look_at(records)
    else:
        panel = panel_of(config.from_environment())
        with _kept(apart=True), progress("Reading") as advance:
            under_way = walks.begun()
            look_round(Reader(panel, under_way, rate, advance), under_way, obstacles)
    rows: list[Moved] = []
    counts = Counter[str]()

    def note(moved: Iterable[Moved]) -> None:
        for each in moved:
            counts[each.kind] += 1
            if len(rows) < NAMED:
                rows.append(each)

    if dry_run:
        note(obstacles.listed())
    else:
        own_ids.reserve()
        obstacles.move(note)
    return {
        "batches": counts[BATCH],
        "coupons": counts[CODE],
        "rows": [row._asdict() for row in rows],
        "dry_run": dry_run,
    }


def _put_moved(value: dict[str, Any]) -> None:
    for row in value["rows"]:
        end = f" is now {row['new_id']}" if row["new_id"] else " is in the way"
        put_line(f"{row['kind']} {row['id']} {row['name']}{end}")
    said = "are in the way; nothing was changed" if value["dry_run"] else "have new ids"
    put_line(f"{value['batches']:,} batches and {value['coupons']:,} codes {said}.")


def panel_of(settings: Settings) -> Panel:
    """Return the panel of the settings. Raises BadSetting."""
    panel = Panel.of(settings)
    if panel is None:
        raise BadSetting(f"{variable('panel_url')} must name the panel: https://HOST/admin/api.php")
    return panel


@contextmanager
def _kept(apart: bool) -> Iterator[None]:
    """Keep what is read in the store, or apart from it in a temporary file."""
    if not apart:
        yield
        return
    tables = (PanelWalk, PanelAnswer)
    with tempfile.TemporaryDirectory(prefix="promobridge-") as folder:
        other = SqliteDatabase(f"{folder}/walk.db", pragmas={"synchronous": "off"})
        with other.bind_ctx(tables), other.connection_context():
            other.create_tables(tables)
            yield


def _row(row: ReportedRow) -> dict[str, Any]:
    fields = {name: {"old": old, "new": new} for name, (old, new) in row.fields.items()}
    return {**row._asdict(), "fields": fields}


def _put(value: dict[str, Any]) -> None:
    put_table(("", *COLUMNS), ((name, *value[name].values()) for name in ("batches", "coupons")))
    for outcome, rows in value["rows"].items():
        for row in rows[:SHOWN]:
            told = [row["reason"]] if row["reason"] else []
            told += [
                f"{name} {each['old']} → {each['new']}" for name, each in row["fields"].items()
            ]
            end = f": {', '.join(told)}" if told else ""
            put_line(f"{outcome} {row['kind']} {row['id']} {row['name']}{end}")
        total = value["batches"][outcome] + value["coupons"][outcome]
        if total > SHOWN:
            put_line(f"{outcome}: {total - SHOWN:,} more (--json names {NAMED:,})")
    if value["dry_run"]:
        put_line("Nothing was stored: this was a dry run.")
