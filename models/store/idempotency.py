"""Keep the first reply to each idempotency key for a day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from peewee import BigIntegerField, BlobField, CharField

from models.store import clock
from models.store.base import Row, change, delete_oldest, repeatable
from models.store.errors import Conflict

KEPT_SECONDS = 86_400
"""How long a reply is given again: part of the contract, so no setting."""
PRUNED = 20
"""How many old replies one change deletes at most: more than it adds, so none are left."""
ATTEMPTS = 3
"""How often a key is claimed again after its old reply was deleted at the same moment."""


class KeptReply(Row):
    """Keep one reply by `scope` (caller and operation) and the client's key.

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
        table_name = "reply"
        indexes = ((("scope", "key"), True), (("made_at",), False))


@dataclass(frozen=True)
class Reply:
    """Hold a reply: its bytes, the key of a refusal or "" for a success, and if it was kept."""

    body: bytes
    refusal: str = ""
    replayed: bool = False


class KeyReused(Conflict):
    """Say that a key came with other arguments before."""

    def __init__(self) -> None:
        super().__init__("This key was used with other arguments", "key_reused")


@repeatable
def once(scope: str, key: str, arguments: str, make: Callable[[], Reply]) -> Reply:
    """Return the reply kept under this key, else make and keep it with all that `make` changes.

    Of two at once the first makes it and the second waits for it. Raises KeyReused, and whatever
    `make` raises: nothing is changed or kept then.
    """
    key = hashlib.sha256(key.encode()).hexdigest()
    kept = KeptReply.scope == scope, KeptReply.key == key
    with change():
        for _ in range(ATTEMPTS):
            # The claim comes first: it is the row that a second request waits for.
            claim = KeptReply.insert(scope=scope, key=key, arguments=arguments, made_at=clock.now())
            if claim.on_conflict_ignore().as_rowcount().execute():
                made = make()
                KeptReply.update(body=made.body, refusal=made.refusal).where(*kept).execute()
                oldest = clock.now() - KEPT_SECONDS
                delete_oldest(KeptReply, KeptReply.made_at, oldest + 1, PRUNED)
                return made
            found = KeptReply.get_or_none(*kept)
            if found is None:
                continue
            now = clock.now()
            if found.made_at <= now - KEPT_SECONDS:
                found.delete_instance()
                continue
            if found.made_at > now:  # the clock was set back: not for ever
                KeptReply.update(made_at=now).where(*kept).execute()
            if found.arguments != arguments:
                raise KeyReused
            return Reply(bytes(found.body), found.refusal, replayed=True)
        raise Conflict("The same request is being answered at this moment, try again", "busy")
