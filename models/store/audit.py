"""The audit: who changed what, when, from where, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from peewee import BigIntegerField, CharField

from models.store import clock
from models.store.base import JSONText, Row, change, delete_oldest, retried
from models.store.errors import NotFound

USER, ACCESS, SECRET, COMMAND, SYSTEM = "user", "access", "secret", "command", "system"
"""The kinds of actors; what nobody asked for is done by the system."""
NAME_LENGTH, ADDRESS_LENGTH = 255, 64
LONGEST = 500
"""Characters that are kept of a text."""
MOST = 40
"""Values that are kept of one side."""
PRUNED = 1000


class Actor(NamedTuple):
    """Name who changes something, and from which address."""

    kind: str = SYSTEM
    name: str = ""
    address: str = ""


class AuditEntry(Row):
    """Keep one change. `before` and `after` hold only what differs, `undo` what an undo needs.

    Times are Unix seconds; `undone_at` is when it was undone.
    """

    at = BigIntegerField()
    actor_kind = CharField(max_length=16)
    actor = CharField(max_length=NAME_LENGTH)
    address = CharField(max_length=ADDRESS_LENGTH)
    action = CharField(max_length=32)
    subject_kind = CharField(max_length=16)
    subject_id = BigIntegerField(default=0)
    subject = CharField(max_length=NAME_LENGTH)
    reason = CharField(max_length=NAME_LENGTH, default="")
    before = JSONText(null=True)
    after = JSONText(null=True)
    undo = JSONText(null=True)
    undone_at = BigIntegerField(null=True)

    class Meta:
        indexes = (
            (("at", "id"), False),
            (("subject_kind", "subject_id", "id"), False),
            (("actor", "at", "id"), False),
        )


NOBODY = Actor()
ACTOR: ContextVar[Actor] = ContextVar("actor", default=NOBODY)
"""Who acts in this context: whoever lets somebody in sets it."""
_reason: ContextVar[str] = ContextVar("reason", default="")


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Keep a reason with the entries of the changes made inside."""
    token = _reason.set(reason)
    try:
        yield
    finally:
        _reason.reset(token)


def note(
    action: str,
    kind: str,
    row_id: int,
    name: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    undo: Any = None,
) -> AuditEntry | None:
    """Write an entry in the transaction of the change; nothing where both sides are the same."""
    old, new = dict(before or {}), dict(after or {})
    same = {key for key in old.keys() & new.keys() if old[key] == new[key]}
    old, new = ({key: side[key] for key in side if key not in same} for side in (old, new))
    if before is not None and after is not None and not (old or new):
        return None
    actor = ACTOR.get()
    with change():
        return AuditEntry.create(
            at=clock.now(),
            actor_kind=actor.kind,
            actor=actor.name[:NAME_LENGTH],
            address=actor.address[:ADDRESS_LENGTH],
            action=action,
            subject_kind=kind,
            subject_id=row_id,
            subject=name[:NAME_LENGTH],
            reason=_reason.get()[:NAME_LENGTH],
            before=_kept(old),
            after=_kept(new),
            undo=undo,
        )


def by_id(entry_id: int, kind: str) -> AuditEntry:
    """Return an entry about subjects of a kind. Raises NotFound."""
    found: AuditEntry | None = AuditEntry.get_or_none(
        AuditEntry.id == entry_id, AuditEntry.subject_kind == kind
    )
    if found is None:
        raise NotFound(f"There is no change {entry_id}", "change_not_found")
    return found


@retried
def prune(before: int) -> int:
    """Delete up to `PRUNED` entries older than this moment and return how many they were."""
    with change():
        return delete_oldest(AuditEntry, AuditEntry.at, before, PRUNED)


def _kept(side: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is kept of one side: JSON values, none of them long."""
    found = {key: _short(side[key]) for key in list(side)[:MOST]}
    return found or None


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    text = str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
