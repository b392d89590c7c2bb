"""promobridge panel: who answers which call."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import click
from peewee import chunked

from app import config
from app.cli.csv_output import pieces_of, put_csv
from app.cli.lines import put_line
from app.cli.output import ID, fields_of, printed, put_table, time_text, warn
from app.config import BadSetting, Settings
from app.panel.client import Panel
from app.panel.problem import PanelProblem
from app.panel.write_through import panel_id
from models.panel import differences, learning, only_here, order, pending, routes, settlement, walks
from models.panel.pending import PanelPending
from models.panel.routes import FORWARD, LOCAL, WRITE_THROUGH, WRITES
from models.store import clock
from models.store.errors import Conflict, Invalid

SHOWN = 20
"""Rows of a list that a command shows without a file."""
SLICE = 1_000
ROUTE_COLUMNS = ("call", "mode", "since", "previous", "enforced", "equal", "differences", "next")
DIFFERENCE_COLUMNS = ("call", "path", "count", "theirs", "ours", "last_at")
PENDING_COLUMNS = (
    *("id", "call", "outcome", "code", "invoice_id", "client_id", "refusal", "api_id"),
    *("started_at", "deadline"),
)
ONLY_HERE_COLUMNS = only_here.OnlyHere._fields


def register(group: click.Group) -> None:
    """Add the commands to `promobridge panel`."""
    for each in (route, routes_, status, diffs, pending_, settle):
        group.add_command(each)


def _put_route(value: dict[str, Any]) -> None:
    for row in value["routes"]:
        put_line(f"{row['call']}: {row['previous'] or FORWARD} -> {row['mode']}")
    if "codes_only_here" not in value:
        return
    codes, uses = value["codes_only_here"], value["uses_only_here"]
    put_line(f"Only here: {codes} codes that the panel does not have, {uses} uses unknown to it")
    if value["only_here"]:
        headings = [each.upper() for each in ONLY_HERE_COLUMNS]
        put_table(headings, ([*row.values()] for row in value["only_here"]))
    if codes + uses > len(value["only_here"]) > 0:
        put_line(f"... {codes + uses - len(value['only_here'])} more: name a file with --csv")


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge panel route applyInvoiceCoupon addPromoCode write-through\n"
    "  promobridge panel route listPromoBatches shadow\n"
    "  promobridge panel route listPromoBatches listPromoCodes local\n"
    "  promobridge panel route applyInvoiceCoupon forward --csv only-here.csv",
)
@click.argument("names", metavar="CALL...", nargs=-1, required=True)
@click.argument("mode", metavar="MODE", type=click.Choice(routes.ALL_MODES))
@click.option("--enforce", is_flag=True, help="write-through: send no use that is refused here.")
@click.option("--anyway", is_flag=True, help="Do it though it is too early.")
@click.option("--csv", "file", metavar="FILE", help="Going back: write what is only here as CSV.")
@printed(text=_put_route)
def route(
    names: tuple[str, ...], mode: str, enforce: bool, anyway: bool, file: str | None
) -> dict[str, Any]:
    """Change who answers calls: forward, shadow, write-through or local.

    In force on all processes and hosts within a second. A write waits until the calls that are on
    their way to the panel have ended. Going back, it lists what is only here. To use no code twice,
    go back to write-through --enforce, enter that list at the panel, then forward.
    """
    if enforce and mode != WRITE_THROUGH:
        raise click.UsageError(f"--enforce goes with {WRITE_THROUGH} alone.")
    chosen = [routes.named(name) for name in names]
    for name in chosen:
        routes.check_mode(name, mode)
    settings = config.from_environment()
    lacking = _lacking(settings) if mode != FORWARD else set()
    if lost := lacking.intersection(chosen) if mode == WRITE_THROUGH else ():
        raise Conflict(f"The panel's release has no {', '.join(sorted(lost))}: leave it as it is")
    before = {routes.listed()[name].mode for name in chosen}
    at = order.standing(settings.panel_equal_answers, lacking)
    for name in chosen:
        if why_not := order.objection(at, name, mode):
            if not anyway:
                raise Conflict(f"{name} to {mode} is too early: {why_not}; or say --anyway")
            warn(f"{name} to {mode} is too early: {why_not}")
        at = at.after(name, mode)
    changed = [routes.switch(name, mode, enforce, _waiting(name)) for name in chosen]
    value: dict[str, Any] = {"routes": [_described(each) for each in changed]}
    if _is_way_back(before, mode):
        value |= _only_here(file)
    return value


@click.command(name="routes", epilog="Example: promobridge panel routes --json")
@printed(*ROUTE_COLUMNS)
def routes_() -> list[dict[str, Any]]:
    """List the promotion calls: who answers each, since when, and what can follow.

    EQUAL is how many answers in a row were those of the panel.
    """
    at = order.standing(config.from_environment().panel_equal_answers)
    counts = differences.counts()
    return [
        _described(each)
        | {
            "equal": at.equal.get(each.call, 0),
            "differences": counts.get(each.call, 0),
            "next": order.proposal(at, name),
        }
        for name, each in at.routes.items()
    ]


@click.command(epilog="Example: promobridge panel status --json")
@printed()
def status() -> dict[str, Any]:
    """Show the panel and how far the move has come."""
    settings = config.from_environment()
    reached, version = _reached(settings)
    return {
        "url": settings.panel_url,
        "reachable": reached,
        "version": version,
        "last_walk": time_text(walks.last_finished()),
        "routes": {name: each.mode for name, each in routes.listed().items()},
        "pending": pending.count(),
        "learned": len(learning.provisional()),
        "differences": sum(differences.counts().values()),
    }


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge panel diffs listPromoCodes\n"
    "  promobridge panel diffs --ignore 'coupons[].notes'\n"
    "  promobridge panel diffs listPromoCodes --clear"
)
@click.argument("name", metavar="[CALL]", required=False)
@click.option("--clear", is_flag=True, help="Forget them, and how many answers were equal.")
@click.option("--ignore", metavar="PATH", help="Compare this path no longer.")
@click.option("--heed", metavar="PATH", help="Compare an ignored path again.")
@printed(*DIFFERENCE_COLUMNS)
def diffs(
    name: str | None, clear: bool, ignore: str | None, heed: str | None
) -> list[dict[str, Any]]:
    """List where the panel's answers and ours differ, by call and path, with one example each."""
    chosen = None if name is None else routes.named(name)
    if ignore is not None:
        differences.ignore(ignore)
    if heed is not None and not differences.heed(heed):
        raise Invalid(f"{heed} is not ignored; ignored are {', '.join(differences.ignored())}")
    if clear:
        differences.clear(chosen)
    return [
        fields_of(each, DIFFERENCE_COLUMNS, call=routes.NAMES.get(each.call, each.call))
        for each in differences.listed(chosen)
    ]


@click.command(name="pending", epilog="Example: promobridge panel pending --json")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="How many."
)
@printed(*PENDING_COLUMNS)
def pending_(limit: int) -> list[dict[str, Any]]:
    """List writes that were sent to the panel and have no answer, oldest first.

    One that is `unknown` has none by its deadline: look there, then end it with `panel settle`.
    """
    return [_pending(row) for row in pending.listed(limit)]


@click.command(epilog="Example: promobridge panel settle 17 applied")
@click.argument("pending_id", metavar="ID", type=ID)
@click.argument("word", metavar="applied|refused", type=click.Choice(("applied", "refused")))
@printed()
def settle(pending_id: int, word: str) -> dict[str, Any]:
    """End a write whose outcome is unknown: say what became of it at the panel."""
    settings = config.from_environment()
    today = clock.today(ZoneInfo(settings.timezone))
    applied, known = word == "applied", None
    row = PanelPending.get_or_none(PanelPending.id == pending_id)
    if applied and row is not None and row.call == "addpromocode":
        with suppress(BadSetting):
            panel = Panel.of(settings)
            known = panel_id(panel, row.code) if panel else None
    return _pending(settlement.settle(pending_id, applied, today, settings.amount_places, known))


def _is_way_back(before: set[str], mode: str) -> bool:
    """Tell whether the panel answers from now on what was answered or reserved here."""
    return mode != LOCAL and (LOCAL in before or (mode == FORWARD and WRITE_THROUGH in before))


def _waiting(name: str) -> Any:
    """Return what tells on the terminal how many calls a switch waits for."""
    told = -1

    def on_wait(left: int) -> None:
        nonlocal told
        if left != told:
            put_line(f"{name}: waiting for {left} calls on their way to the panel", err=True)
        told = left

    return on_wait


def _lacking(settings: Settings) -> set[str]:
    """Return the writes that the panel's release does not have; none where it cannot be asked."""
    try:
        panel = Panel.of(settings)
        answer = panel.ask("getAPIMethods", {}) if panel else {}
    except (PanelProblem, BadSetting):
        return set()
    methods = answer.get("methods")
    if not isinstance(methods, list):
        return set()
    there = {each.lower() for each in methods if isinstance(each, str)}
    return {name for name in WRITES if name.lower() not in there}


def _reached(settings: Settings) -> tuple[str, str | None]:
    """Return whether the panel answers, and its version."""
    try:
        panel = Panel.of(settings)
        if panel is None:
            return "no panel is set", None
        if not settings.panel_credentials_file:
            panel.send("GET", b"", {}).close()
            return "yes", None
        answer = panel.ask("getHostBillversion", {})
    except (PanelProblem, BadSetting) as problem:
        return str(problem), None
    version = answer.get("version")
    return "yes", version[:64] if isinstance(version, str) else None


def _only_here(file: str | None) -> dict[str, Any]:
    """Return what is only here, of a long list the begin; write all of it into a file."""
    codes, uses = only_here.counts()
    shown: list[dict[str, Any]] = []
    if file is None:
        shown = [_told(each) for each in islice(only_here.listed(), SHOWN)]
    else:
        slices = chunked(map(_told, only_here.listed()), SLICE)
        put_csv(pieces_of(ONLY_HERE_COLUMNS, slices), file, False, "Only here", codes + uses)
    return {"codes_only_here": codes, "uses_only_here": uses, "only_here": shown}


def _told(each: only_here.OnlyHere) -> dict[str, Any]:
    return each._asdict() | {"at": time_text(each.at)}


def _described(each: routes.PanelRoute) -> dict[str, Any]:
    return {
        "call": each.name,
        "mode": each.mode,
        "since": time_text(each.since or None),
        "previous": each.previous,
        "enforced": each.enforced,
    }


def _pending(row: PanelPending) -> dict[str, Any]:
    return fields_of(
        row,
        PENDING_COLUMNS,
        call=routes.NAMES.get(row.call, row.call),
        deadline=time_text(row.deadline),
    )
