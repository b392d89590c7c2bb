"""Replies: the first answer to a change that may be asked for twice, kept to be given again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from peewee import BigIntegerField, BlobField, CharField

from models.store import clock
from models.store.base import Row, change, database, repeatable
from models.store.errors import Conflict

KEPT_SECONDS = 86_400
"""How long a reply is given again: part of the contract, so no setting."""
PRUNED = 20
"""How many old replies one change deletes at most: more than it adds, so they die out."""
ATTEMPTS = 3
"""How often a key is claimed again after its old reply was deleted at the same moment."""


class Reply(Row):
    """Keep one reply under who asked for what (`scope`) and the client's key.

    `key` is the SHA-256 of the client's text, for engines that compare text without its case.
    `arguments` is the digest of what was asked. `body` is empty only while it is being made, and
    then nobody else sees the row. `refusal` is the key of a refusal, "" for a success.
    """

    scope = CharField(max_length=200)
    key = CharField(max_length=64)
    arguments = CharField(max_length=64)
    body = BlobField(default=b"")
    refusal = CharField(max_length=64, default="")
    made_at = BigIntegerField()

    class Meta:
        indexes = ((("scope", "key"), True), (("made_at",), False))


@dataclass(frozen=True)
class Made:
    """Hold a reply: its bytes, the key of a refusal or "" for a success, and if it was kept."""

    body: bytes
    refusal: str = ""
    again: bool = False


class KeyTaken(Conflict):
    """Say that a key came with other arguments before."""

    def __init__(self) -> None:
        super().__init__("This key was used with other arguments", "key_taken")


@repeatable
def once(scope: str, key: str, arguments: str, make: Callable[[], Made]) -> Made:
    """Return the reply kept under this key, else make and keep it with all that `make` changes.

    Of two at once the first makes it and the second waits for it. Raises KeyTaken, and whatever
    `make` raises: nothing is changed or kept then.
    """
    key = hashlib.sha256(key.encode()).hexdigest()
    with change():
        # The claim comes first: it is the row that a second request waits for.
        for _ in range(ATTEMPTS):
            if _claimed(scope, key, arguments):
                made = make()
                _named(Reply.update(body=made.body, refusal=made.refusal), scope, key).execute()
                _prune()
                return made
            kept = _kept(scope, key)
            if kept is not None:
                if kept.arguments != arguments:
                    raise KeyTaken
                return Made(bytes(kept.body), kept.refusal, again=True)
        raise Conflict("The same request is being answered at this moment, try again", "busy")


def _claimed(scope: str, key: str, arguments: str) -> bool:
    """Tell whether the key is ours; wait for another transaction that has claimed it."""
    claim = Reply.insert(scope=scope, key=key, arguments=arguments, made_at=clock.now())
    return bool(claim.on_conflict_ignore().as_rowcount().execute())


def _kept(scope: str, key: str) -> Reply | None:
    """Return the reply under a key; one past its time is deleted."""
    kept = _named(Reply.select(), scope, key).first()
    if kept is not None and kept.made_at <= _oldest():
        kept.delete_instance()
        return None
    if kept is not None and kept.made_at > clock.now():  # the clock was set back: not for ever
        _named(Reply.update(made_at=clock.now()), scope, key).execute()
    return kept


def _named(query: Any, scope: str, key: str) -> Any:
    return query.where(Reply.scope == scope, Reply.key == key)


def _prune() -> None:
    """Delete a few replies past their time, but none that another change is deleting."""
    old: Any = Reply.select(Reply.id).where(Reply.made_at <= _oldest())
    old = old.order_by(Reply.made_at).limit(PRUNED)
    if database.for_update:
        old = old.for_update(skip_locked=True)
    ids = [row_id for (row_id,) in old.tuples()]
    if ids:
        Reply.delete().where(Reply.id.in_(ids)).execute()


def _oldest() -> int:
    return clock.now() - KEPT_SECONDS
