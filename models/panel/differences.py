"""Differences between the panel's answers and ours: where, how often, and one example each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from peewee import BigIntegerField, CharField, fn

from models.store import clock
from models.store.base import Row, change, locked, retried
from models.store.errors import Invalid

MOST = 500
"""Paths that are kept in all; what is over is counted as one of the path `OTHERS`."""
OTHERS = "(other paths)"
PATH_LENGTH, EXAMPLE_LENGTH = 255, 200
ALWAYS_IGNORED = ("server_time",)


class PanelDifference(Row):
    """Keep one path of a call's answer at which the panel's and ours differ, with one example."""

    call = CharField(max_length=64)
    path = CharField(max_length=PATH_LENGTH)
    count = BigIntegerField(default=1)
    theirs = CharField(max_length=EXAMPLE_LENGTH)
    ours = CharField(max_length=EXAMPLE_LENGTH)
    first_at = BigIntegerField()
    last_at = BigIntegerField()

    class Meta:
        indexes = ((("call", "path"), True),)


class PanelComparison(Row):
    """Count the answers of a call that were compared, and those equal since the last that was not.

    `dropped` could not be compared: too many waited, or the answer was too large.
    """

    call = CharField(max_length=64, unique=True)
    equal = BigIntegerField(default=0)
    compared = BigIntegerField(default=0)
    dropped = BigIntegerField(default=0)


class PanelIgnored(Row):
    """Keep a path that is not compared."""

    path = CharField(max_length=PATH_LENGTH, unique=True)


class Found(NamedTuple):
    """Hold one path at which two answers differ, and what was there."""

    path: str
    theirs: str
    ours: str


class Compared(NamedTuple):
    """Hold what a comparison of one call has found; None where it could not be made."""

    call: str
    found: Sequence[Found] | None


@retried
def note(results: Sequence[Compared]) -> None:
    """Store comparisons in their order, in one transaction."""
    with change():
        for name in sorted({result.call for result in results}):
            mine = [result.found for result in results if result.call == name]
            _count(name, [found for found in mine if found is not None], mine.count(None))


def comparisons() -> dict[str, PanelComparison]:
    """Return what was compared, by the call in small letters."""
    return {row.call: row for row in PanelComparison.select()}


def listed(name: str | None = None) -> list[PanelDifference]:
    """Return the differences of a call, or of all, the most frequent first."""
    query = PanelDifference.select().order_by(
        PanelDifference.call, PanelDifference.count.desc(), PanelDifference.id
    )
    return list(query if name is None else query.where(PanelDifference.call == name.lower()))


def counts() -> dict[str, int]:
    """Return how many paths differ, by the call in small letters."""
    query: Any = PanelDifference.select(PanelDifference.call, fn.COUNT(PanelDifference.id))
    return dict(query.group_by(PanelDifference.call).tuples())


@retried
def clear(name: str | None = None) -> int:
    """Forget the differences of a call, or of all, and how many were equal; return how many."""
    with change():
        mine = True if name is None else PanelComparison.call == name.lower()
        PanelComparison.update(equal=0, compared=0, dropped=0).where(mine).execute()
        mine = True if name is None else PanelDifference.call == name.lower()
        return int(PanelDifference.delete().where(mine).execute())


def ignored() -> tuple[str, ...]:
    """Return the paths that are not compared."""
    kept = PanelIgnored.select().order_by(PanelIgnored.path)
    return (*ALWAYS_IGNORED, *(row.path for row in kept))


@retried
def ignore(path: str) -> None:
    """Compare a path no longer, and forget its differences and those below it. Raises Invalid."""
    if not 0 < len(path) <= PATH_LENGTH:
        raise Invalid(f"A path has {PATH_LENGTH} characters at most, such as coupons[].notes")
    with change():
        PanelIgnored.insert(path=path).on_conflict_ignore().execute()
        gone = [row.id for row in PanelDifference.select() if _is_below(row.path, path)]
        PanelDifference.delete().where(PanelDifference.id.in_(gone)).execute()


@retried
def heed(path: str) -> bool:
    """Compare a path again; tell whether it was ignored."""
    with change():
        return bool(PanelIgnored.delete().where(PanelIgnored.path == path).execute())


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith((f"{above}.", f"{above}[", f"{above} "))


def _count(name: str, found: Collection[Sequence[Found]], dropped: int) -> None:
    call, equal = name.lower(), 0
    PanelComparison.insert(call=call).on_conflict_ignore().execute()
    # Processes that note the same call go one after the other.
    kept = locked(PanelComparison.select().where(PanelComparison.call == call)).get()
    equal = kept.equal
    for paths in found:
        equal = 0 if paths else equal + 1
        for path in paths:
            _note_path(call, path)
    kept.equal, kept.compared = equal, kept.compared + len(found)
    kept.dropped += dropped
    kept.save()


def _note_path(call: str, found: Found) -> None:
    now = clock.now()
    for path in (found.path[:PATH_LENGTH], OTHERS):
        seen = (PanelDifference.call == call) & (PanelDifference.path == path)
        if (
            PanelDifference.update(count=PanelDifference.count + 1, last_at=now)
            .where(seen)
            .execute()
        ):
            return
        if path == OTHERS or PanelDifference.select().count() < MOST:
            PanelDifference.create(
                call=call,
                path=path,
                theirs=found.theirs[:EXAMPLE_LENGTH],
                ours=found.ours[:EXAMPLE_LENGTH],
                first_at=now,
                last_at=now,
            )
            return
