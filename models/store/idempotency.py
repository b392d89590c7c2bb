"""Keep the first reply to each idempotency key for a day."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from peewee import BigIntegerField, BlobField, CharField, fn

from models.store import clock
from models.store.base import Row, change, locked, repeatable
from models.store.errors import Conflict, OverQuota
from models.store.prepared import Prepared, slot

KEPT_SECONDS = 86_400
"""How long a reply is given again: part of the contract, so no setting."""
PRUNED = 20
"""How many old replies one change deletes at most: more than it adds, so none are left."""
ATTEMPTS = 3
"""How often a key is claimed again after its old reply was deleted at the same moment."""
SHARES = 16
"""How many rows count the bytes of one caller: its requests would wait for each other at one."""
CALLER_DIGITS = 24
RETRY_SECONDS = 3600
"""When one whose replies take too much may ask again: some of them will be a day old then."""


class KeptReply(Row):
    """Keep one reply by `scope` (caller and operation) and the client's key.

    `key` is the SHA-256 of the client's text, for engines that compare text without its case.
    `arguments` is the digest of what was asked. `body` is empty only while it is being made, and
    then nobody else sees the row. `refusal` is the key of a refusal, "" for a success. `share` is
    where its bytes are counted, None for one of an earlier version. `redemption_id` is the use that
    it tells of, if any: it is forgotten as soon as that stands no longer.
    """

    scope = CharField(max_length=200)
    key = CharField(max_length=64)
    arguments = CharField(max_length=64)
    body = BlobField(default=b"")
    refusal = CharField(max_length=64, default="")
    made_at = BigIntegerField()
    share = CharField(max_length=32, null=True)
    redemption_id = BigIntegerField(null=True)

    class Meta:
        table_name = "reply"
        indexes = ((("scope", "key"), True), (("made_at",), False))


class ReplyShare(Row):
    """Count the bytes of a part of one caller's replies, which may have its part of the limit.

    `name` is made of the digest of the caller and the number of the part.
    """

    id = None
    name = CharField(max_length=32, primary_key=True)
    size = BigIntegerField(default=0)


@dataclass(frozen=True)
class Quota:
    """Limit the bytes of each reply, and of all that are kept for one caller.

    The second holds exactly: a reply may be refused where less than `SHARES` of its size are free.
    """

    caller: str = ""
    each: int = 2_097_152
    of_caller: int = 268_435_456


@dataclass(frozen=True)
class Reply:
    """Hold a reply: its bytes, the key of a refusal or "" for a success, and if it was kept.

    `redemption_id` is the use of a code that it tells of, if it does.
    """

    body: bytes
    refusal: str = ""
    redemption_id: int | None = None
    replayed: bool = False


class KeyReused(Conflict):
    """Say that a key came with other arguments before."""

    def __init__(self) -> None:
        super().__init__("This key was used with other arguments", "key_reused")


@repeatable
def once(
    scope: str,
    key: str,
    arguments: str,
    make: Callable[[], Reply],
    quota: Quota = Quota(),
    stands: Callable[[int], bool] = lambda redemption_id: True,
) -> Reply:
    """Return the reply kept under this key, else make and keep it with all that `make` changes.

    Of two at once the first makes it and the second waits for it. One that tells of a redemption is
    kept while that `stands`. Raises KeyReused, OverQuota, and whatever `make` raises: nothing is
    changed or kept then.
    """
    key = hashlib.sha256(key.encode()).hexdigest()
    kept = {"scope": scope, "key": key}
    freed: Counter[str] = Counter()
    with change():
        for _ in range(ATTEMPTS):
            # The claim comes first: it is the row that a second request waits for.
            if _claim.changed(**kept, arguments=arguments, made_at=clock.now()):
                made = make()
                freed += _deleted_old(clock.now() - KEPT_SECONDS)
                share = _counted(len(made.body), quota, freed)
                told = {name: getattr(made, name) for name in ("body", "refusal", "redemption_id")}
                _keep.changed(**kept, **told, share=share)
                return made
            row = _find.first(**kept)
            if row is None:
                continue
            found = KeptReply.of_row(row)
            now = clock.now()
            use = found.redemption_id
            # Asked here, a release on any node is seen, and an answer kept just after it too.
            if found.made_at <= now - KEPT_SECONDS or (use is not None and not stands(use)):
                # Another request may have deleted it at the same moment.
                if found.delete_instance() and found.share:
                    freed[found.share] += len(found.body)
                continue
            if found.made_at > now:  # the clock was set back: not for ever
                KeptReply.update(made_at=now).where(KeptReply.id == found.id).execute()
            if found.arguments != arguments:
                raise KeyReused
            return Reply(bytes(found.body), found.refusal, replayed=True)
        raise Conflict("The same request is being answered at this moment, try again", "busy")


def _deleted_old(last: int) -> Counter[str]:
    """Delete some replies made up to this moment; return the bytes they took, by share.

    Those that another transaction holds are left out.
    """
    freed: Counter[str] = Counter()
    rows = _old.rows(last=last)
    for _, share, size in rows:
        if share:
            freed[share] += size
    if rows:
        KeptReply.delete().where(KeptReply.id.in_([row[0] for row in rows])).execute()
    return freed


def _counted(size: int, quota: Quota, freed: Mapping[str, int]) -> str:
    """Count a new reply and the bytes that old ones took; return the share of the new one.

    Raises OverQuota.
    """
    if size > quota.each:
        raise OverQuota(
            f"The answer has {size:,} bytes, and {quota.each:,} is the most that is kept under an "
            "idempotency key: ask for less at once",
            "reply_too_large",
            RETRY_SECONDS,
        )
    count = max(1, min(SHARES, quota.of_caller // quota.each))
    caller = hashlib.sha256(quota.caller.encode()).hexdigest()[:CALLER_DIGITS]
    first = clock.random_below(count)
    shares = [f"{caller} {(first + at) % count:02}" for at in range(count)]
    own, counted = shares[0], False
    # In one order, so that no two transactions wait for each other's.
    for share in sorted({own, *freed}):
        if share in freed:
            _give.changed(share=share, size=freed[share])
        if share == own:
            counted = _take(own, size, quota.of_caller // count)
    if counted:
        return own
    for share in shares[1:]:
        if _take(share, size, quota.of_caller // count):
            return share
    raise OverQuota(
        "The answers that are kept for you under idempotency keys take all the room there is for "
        "them: go on without a key, or when some of them are a day old",
        "replies_quota",
        RETRY_SECONDS,
    )


def _take(share: str, size: int, most: int) -> bool:
    """Count the bytes of a reply in a share; tell whether it has room for them."""
    if _add.changed(share=share, size=size, left=most - size):
        return True
    return size <= most and bool(_begin.changed(share=share, size=size))


_claim = Prepared(
    lambda: KeptReply.insert(
        **{name: slot(name) for name in ("scope", "key", "arguments", "made_at")}
    ).on_conflict_ignore()
)
_place = (KeptReply.scope == slot("scope")) & (KeptReply.key == slot("key"))
_find = Prepared(lambda: KeptReply.select().where(_place))
_keep = Prepared(
    lambda: KeptReply.update(
        {name: slot(name) for name in ("body", "refusal", "share", "redemption_id")}
    ).where(_place)
)
_old = Prepared(
    lambda: locked(
        KeptReply.select(KeptReply.id, KeptReply.share, fn.LENGTH(KeptReply.body))
        .where(KeptReply.made_at <= slot("last"))
        .order_by(KeptReply.made_at)
        .limit(PRUNED),
        skip_locked=True,
    )
)
_add = Prepared(
    lambda: ReplyShare.update(size=ReplyShare.size + slot("size")).where(
        ReplyShare.name == slot("share"), ReplyShare.size <= slot("left")
    )
)
_begin = Prepared(
    lambda: ReplyShare.insert(name=slot("share"), size=slot("size")).on_conflict_ignore()
)
_give = Prepared(
    lambda: ReplyShare.update(size=ReplyShare.size - slot("size")).where(
        ReplyShare.name == slot("share")
    )
)
