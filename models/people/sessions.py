"""Sessions of the pages: rows, so that ending one ends it for every process."""

from __future__ import annotations

import hashlib
from typing import Any

from peewee import BigIntegerField, CharField, IntegerField

from models.store import clock
from models.store.base import Row, change, retried

SECONDS = 12 * 3600
FRESH_SECONDS = 600
"""How long after a password was shown what is sensitive may be done."""
PRUNED = 100
TOKEN_BYTES = 32


class PageSession(Row):
    """Keep one session by the digest of its token; times are Unix seconds.

    `proven_at` is when the person last showed a password.
    """

    id = None
    digest = CharField(max_length=64, primary_key=True)
    user_id = IntegerField(index=True)
    made_at = BigIntegerField()
    expires_at = BigIntegerField(index=True)
    proven_at = BigIntegerField()

    @property
    def fresh(self) -> bool:
        """Tell whether the person showed a password some minutes ago."""
        return clock.now() - self.proven_at < FRESH_SECONDS


@retried
def begin(user_id: int) -> str:
    """Begin a session of a user who was just authenticated; return its token."""
    token, now = clock.random_bytes(TOKEN_BYTES).hex(), clock.now()
    with change():
        _delete_ended(now)
        PageSession.create(
            digest=digest(token),
            user_id=user_id,
            made_at=now,
            expires_at=now + SECONDS,
            proven_at=now,
        )
    return token


def by_token(token: str) -> PageSession | None:
    """Return the session of a token, None when it has ended."""
    return PageSession.get_or_none(
        PageSession.digest == digest(token), PageSession.expires_at > clock.now()
    )


def of_user(user_id: int) -> list[PageSession]:
    """Return the sessions of a user, newest first."""
    query = PageSession.select().where(
        PageSession.user_id == user_id, PageSession.expires_at > clock.now()
    )
    return list(query.order_by(PageSession.made_at.desc()))


def end(token: str) -> None:
    """End a session."""
    PageSession.delete().where(PageSession.digest == digest(token)).execute()


def end_others(user_id: int, token: str) -> int:
    """End all sessions of a user but this one; return how many there were."""
    others: Any = (PageSession.user_id == user_id) & (PageSession.digest != digest(token))
    return int(PageSession.delete().where(others).execute())


def prove(token: str) -> None:
    """Note that the person of a session has just shown the password."""
    PageSession.update(proven_at=clock.now()).where(PageSession.digest == digest(token)).execute()


def digest(token: str) -> str:
    """Return what is kept of a token: it is random, so one hash is enough."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _delete_ended(now: int) -> None:
    ended: Any = PageSession.select(PageSession.digest).where(PageSession.expires_at <= now)
    digests = [found for (found,) in ended.limit(PRUNED).tuples()]
    if digests:
        PageSession.delete().where(PageSession.digest.in_(digests)).execute()
