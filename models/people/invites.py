"""Invitations: a link, good for a day and once, to set a password or to log in."""

from __future__ import annotations

from peewee import BigIntegerField, BooleanField, CharField, IntegerField

from models.people import passwords, users
from models.people.sessions import TOKEN_BYTES, digest
from models.people.users import PageUser
from models.store import clock
from models.store.base import Row, change, retried
from models.store.errors import NotFound

SECONDS = 24 * 3600


class PageInvite(Row):
    """Keep one invitation by the digest of its token; `logs_in` says that it asks for no password.

    Times are Unix seconds.
    """

    id = None
    digest = CharField(max_length=64, primary_key=True)
    user_id = IntegerField(index=True)
    logs_in = BooleanField(default=False)
    expires_at = BigIntegerField()


@retried
def make(user: PageUser, logs_in: bool = False) -> str:
    """Make an invitation of a user in place of older ones; return its token."""
    token = clock.random_bytes(TOKEN_BYTES).hex()
    with change():
        PageInvite.delete().where(PageInvite.user_id == user.id).execute()
        PageInvite.create(
            digest=digest(token),
            user_id=user.id,
            logs_in=logs_in,
            expires_at=clock.now() + SECONDS,
        )
    return token


def one_time_login(name: str, role: str) -> str:
    """Return the token of a link that logs a user in once; the user is made where there is none."""
    with change():
        try:
            user = users.by_name(name)
        except NotFound:
            user = users.add(name, role)
        return make(user, logs_in=True)


def by_token(token: str) -> tuple[PageInvite, PageUser]:
    """Return an invitation that still stands, and whose it is. Raises NotFound."""
    found = PageInvite.get_or_none(
        PageInvite.digest == digest(token), PageInvite.expires_at > clock.now()
    )
    user = PageUser.get_or_none(PageUser.id == found.user_id) if found else None
    if found is None or user is None or not user.enabled:
        raise NotFound("This invitation was used, or is over; ask for another", "invite_over")
    return found, user


def consume(token: str, password: str | None) -> PageUser:
    """Use an invitation up, and set the password that it asks for.

    Raises NotFound when it was used meanwhile, Invalid for a password that cannot be: then the
    invitation still stands.
    """
    found, user = by_token(token)
    # Before the transaction: it takes a tenth of a second, in which others write.
    kept = None if found.logs_in else passwords.digest(password or "", user.name)
    _use_up(found, user, kept)
    return user


@retried
def _use_up(found: PageInvite, user: PageUser, password: str | None) -> None:
    with change():
        if not PageInvite.delete().where(PageInvite.digest == found.digest).execute():
            raise NotFound("This invitation was used already", "invite_over")
        if password is not None:
            users.keep_password(user.id, password)
