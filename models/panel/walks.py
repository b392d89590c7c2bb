"""Walks of a live panel: when they were, and what one under way has read so far."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from peewee import BigIntegerField, BlobField, CharField, fn

from models.store import clock
from models.store.base import Row

KEPT_SECONDS = 86_400
"""How old a walk that was broken off may be to be gone on with: what it has read grows stale."""
SLICE = 100
"""How many answers are deleted, or found by their numbers, at once."""


class PanelWalk(Row):
    """Keep when a walk began and ended, None while it has not, and how many rows it has read."""

    started_at = BigIntegerField()
    finished_at = BigIntegerField(null=True)
    batches = BigIntegerField(default=0)
    coupons = BigIntegerField(default=0)


class PanelAnswer(Row):
    """Keep an answer of the panel, compressed, until the walk is finished.

    `number` is that of a page, or the id of a coupon.
    """

    walk_id = BigIntegerField()
    kind = CharField(max_length=16)
    number = BigIntegerField()
    body = BlobField()

    class Meta:
        indexes = ((("walk_id", "kind", "number"), True),)


def last_finished() -> int | None:
    """Return when a walk was finished last, in Unix seconds, None when none was."""
    found: int | None = PanelWalk.select(fn.MAX(PanelWalk.finished_at)).scalar()
    return found


def last_begun() -> int | None:
    """Return when the last walk began that was finished, in Unix seconds, None when none was."""
    finished = PanelWalk.select(fn.MAX(PanelWalk.started_at)).where(
        PanelWalk.finished_at.is_null(False)
    )
    found: int | None = finished.scalar()
    return found


def begun() -> PanelWalk:
    """Return the walk that was broken off, else a new one."""
    walk: PanelWalk | None = (
        PanelWalk.select()
        .where(PanelWalk.finished_at.is_null(), PanelWalk.started_at > clock.now() - KEPT_SECONDS)
        .order_by(PanelWalk.id.desc())
        .first()
    )
    return walk or PanelWalk.create(started_at=clock.now())


def is_open(walk: PanelWalk) -> bool:
    """Tell whether a walk is under way: another process may have ended it, and what it has read."""
    return bool(
        PanelWalk.select().where(PanelWalk.id == walk.id, PanelWalk.finished_at.is_null()).exists()
    )


def finish(walk: PanelWalk, batches: int, coupons: int) -> None:
    """Note that a walk has ended, and forget what it and older ones have read."""
    PanelWalk.update(finished_at=clock.now(), batches=batches, coupons=coupons).where(
        PanelWalk.id == walk.id
    ).execute()
    _delete(PanelAnswer.walk_id <= walk.id)
    PanelWalk.delete().where(PanelWalk.finished_at.is_null(), PanelWalk.id < walk.id).execute()


def keep(walk: PanelWalk, kind: str, number: int, body: bytes) -> None:
    """Keep an answer; it takes the place of an earlier one."""
    which = {"walk_id": walk.id, "kind": kind, "number": number}
    packed = zlib.compress(body)
    if not PanelAnswer.update(body=packed).where(*_same(**which)).execute():
        PanelAnswer.insert(**which, body=packed).on_conflict_ignore().execute()


def kept(walk: PanelWalk, kind: str, number: int) -> bytes | None:
    """Return a kept answer, None where there is none."""
    return next(iter(several(walk, kind, (number,)).values()), None)


def several(walk: PanelWalk, kind: str, numbers: Sequence[int]) -> dict[int, bytes]:
    """Return the kept answers with these numbers."""
    rows: Any = PanelAnswer.select(PanelAnswer.number, PanelAnswer.body).where(
        PanelAnswer.walk_id == walk.id, PanelAnswer.kind == kind, PanelAnswer.number.in_(numbers)
    )
    return {number: zlib.decompress(body) for number, body in rows.tuples()}


def pages(walk: PanelWalk, kind: str) -> Iterator[bytes]:
    """Yield the kept answers of a kind by their numbers, one in memory at a time."""
    number = 0
    while (body := kept(walk, kind, number)) is not None:
        yield body
        number += 1


def forget(walk: PanelWalk, kinds: Sequence[str]) -> None:
    """Forget the kept answers of these kinds."""
    _delete((PanelAnswer.walk_id == walk.id) & PanelAnswer.kind.in_(kinds))


def _same(walk_id: int, kind: str, number: int) -> tuple[object, ...]:
    return (
        PanelAnswer.walk_id == walk_id,
        PanelAnswer.kind == kind,
        PanelAnswer.number == number,
    )


def _delete(which: object) -> None:
    # Slice by slice: a cluster takes each statement as a whole.
    found: Any = PanelAnswer.select(PanelAnswer.id).where(which).limit(SLICE)
    while ids := [row_id for (row_id,) in found.clone().tuples()]:
        PanelAnswer.delete().where(PanelAnswer.id.in_(ids)).execute()
