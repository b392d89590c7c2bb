"""promobridge panel: answers kept without their values, and asked again here."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from app import config
from app.cli.lines import put_line
from app.cli.output import as_json, progress, put_json, put_table, store
from models.panel import recordings
from models.store import clock
from models.store.base import database
from models.store.errors import Invalid

MINUTE = 60


def register(group: click.Group) -> None:
    """Add the commands to `promobridge panel`."""
    group.add_command(record)
    group.add_command(replay)


@click.command(epilog="\b\nExample:\n  promobridge panel record answers --minutes 30")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--minutes",
    default=60,
    show_default=True,
    type=click.IntRange(1, 1440),
    help="How long to record; Ctrl-C ends it before.",
)
def record(folder: Path, minutes: int) -> None:
    """Keep answers of the calls that servers forward, their values replaced.

    Servers keep those of calls whose names begin with get or list: the first answer for the same
    arguments, 100 of a call. Of the values only ids, amounts, dates and words of promotions stay.
    Look into DIR before you give it away. Run this as the servers' user, on their machine.
    """
    with store() as settings:
        if not settings.panel_url:
            raise Invalid(f"Nothing is forwarded: set {config.variable('panel_url')} first")
        path = _made(folder)
        recording = recordings.begin(str(path), minutes * MINUTE)
        put_line(f"Recording into {path} for {minutes} minutes; Ctrl-C ends it.", err=True)
        try:
            with progress("Recording", minutes * MINUTE) as advance:
                for _ in range(minutes * MINUTE):
                    clock.pause(1)
                    advance(1)
        except KeyboardInterrupt:
            pass  # the way to end it
        finally:
            recordings.end(recording)
    put_line(f"Answers in {path}: {len([*path.glob('*.json')])}")


@click.command(epilog="\b\nExample:\n  promobridge panel replay answers")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@as_json
def replay(folder: Path, as_json: bool) -> None:
    """Ask this store what was recorded, and list where its answers differ.

    Of values that were replaced the shapes are compared: letters, digits, lengths. Exit status: 0
    when nothing differs, 1 when something does.
    """
    from app import create_app
    from app.panel.replay import replayed

    # The panel is not asked: by their routes some calls would go there.
    app = create_app(replace(config.from_environment(), panel_url=""), has_rest=False)
    try:
        results = [*replayed(folder, app)]
    finally:
        app.config["USAGE_LOG"].close()  # its thread uses the store
        database.close_all()
    told = [
        {"file": each.file, "call": each.call, **vars(found)}
        for each in results
        for found in each.differences or ()
    ]
    told += [
        {"file": each.file, "call": each.call, "problem": each.problem}
        for each in results
        if each.problem
    ]
    foreign = Counter(
        each.call for each in results if each.differences is None and not each.problem
    )
    if as_json:
        put_json({"answers": len(results), "differences": told, "not_here": dict(foreign)})
    else:
        _put(told, foreign, len(results))
    if told:
        raise SystemExit(1)


def _put(told: list[dict[str, Any]], foreign: Counter[str], count: int) -> None:
    columns = ("file", "call", "path", "theirs", "ours", "count")
    if told:
        rows = [[each.get(column, each.get("problem", "")) for column in columns] for each in told]
        put_table([column.upper() for column in columns], rows)
    compared = count - foreign.total()
    put_line(f"Answers compared: {compared}, that differ: {len({each['file'] for each in told})}")
    if foreign:
        put_line(f"Answers of calls that are not answered here: {foreign.total()}")


def _made(folder: Path) -> Path:
    """Return the folder, for its owner alone, made if it is not there. Raises Invalid."""
    from app.panel.recording import is_private

    path = folder.absolute()
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as problem:
        raise Invalid(f"{path} cannot be made: {problem.strerror}") from None
    if not is_private(path):
        raise Invalid(f"{path} must be a folder of your own that others cannot enter: chmod 700")
    return path
