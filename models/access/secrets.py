"""Secrets: who may use the REST API, in which environment and for which partner."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

from peewee import BigIntegerField, BooleanField, CharField, IntegrityError, SmallIntegerField

from models.promotions.campaign_counts import PARTNER_LENGTH, Owner
from models.store import audit, clock, visibility
from models.store.base import Row, change, retried
from models.store.errors import Conflict, Invalid, NotFound
from models.store.texts import is_one_line

PREFIXES = {visibility.LIVE: "sk_live_", visibility.TEST: "sk_test_"}
SECRET = re.compile(r"sk_(live|test)_[A-Za-z0-9_-]{8,200}")
SECRET_BYTES = 16
HINT_CHARACTERS = 4
NAME_LENGTH = 255


class Secret(Row):
    """Keep one secret as its digest; `hint` is its last characters.

    It is the key of an application: `active` is the application's switch, `revoked_at` ends the
    secret for good. Times are Unix seconds.
    """

    digest = CharField(max_length=64, unique=True)
    hint = CharField(max_length=8)
    environment = SmallIntegerField()
    partner = CharField(max_length=PARTNER_LENGTH, default="")
    name = CharField(max_length=NAME_LENGTH, default="")
    active = BooleanField(default=True)
    created_at = BigIntegerField()
    revoked_at = BigIntegerField(null=True)

    @property
    def owner(self) -> Owner:
        """Return whose data it opens."""
        return Owner(self.environment, self.partner)


@retried
def add(owner: Owner, name: str = "", text: str | None = None) -> tuple[Secret, str]:
    """Make a secret, or register an existing one; return it with its text, which is not kept.

    Raises Invalid for a text that is no secret of the environment, Conflict for a known one.
    """
    prefix = PREFIXES[owner.environment]
    if text is None:
        text = prefix + clock.random_bytes(SECRET_BYTES).hex()
    if not SECRET.fullmatch(text) or not text.startswith(prefix):
        raise Invalid(f"A secret here is {prefix} and 8 to 200 letters, digits, _ and -")
    if not all(len(each) <= NAME_LENGTH and is_one_line(each) for each in (name, owner.partner)):
        raise Invalid(f"Names are one line of {NAME_LENGTH} characters at most")
    try:
        with change():
            secret = Secret.create(
                digest=_digest(text),
                hint=text[-HINT_CHARACTERS:],
                environment=owner.environment,
                partner=owner.partner,
                name=name,
                created_at=clock.now(),
            )
            audit.note("made", "secret", secret.id, name)
    except IntegrityError as problem:
        raise Conflict("This secret is registered already", "secret_exists") from problem
    return secret, text


def by_text(text: str) -> Secret | None:
    """Return the secret with this text, revoked or not; None when there is none."""
    if not SECRET.fullmatch(text):  # whatever its length, no work is done for it
        return None
    digest = _digest(text)
    # Only the digest is compared by the store: how far it agrees tells nothing about the text.
    found = Secret.get_or_none(Secret.digest == digest)
    right = found is not None and hmac.compare_digest(found.digest, digest)
    return found if right else None


def listed() -> list[Secret]:
    """Return all secrets in the order they were made."""
    return list(Secret.select().order_by(Secret.id))


def any_active() -> bool:
    """Tell whether there is a secret that opens anything."""
    return bool(Secret.select().where(Secret.active, Secret.revoked_at.is_null()).exists())


def revoke(secret_id: int) -> Secret:
    """End a secret for good; again changes nothing. Raises NotFound."""
    return _update(secret_id, Secret.revoked_at.is_null(), revoked_at=clock.now())


def activate(secret_id: int, active: bool) -> Secret:
    """Switch the application of a secret on or off. Raises NotFound."""
    return _update(secret_id, active=active)


@retried
def _update(secret_id: int, *where: Any, **fields: Any) -> Secret:
    with change():
        changed = Secret.update(**fields).where(Secret.id == secret_id, *where).execute()
        secret = Secret.get_or_none(Secret.id == secret_id)
        if changed and secret is not None:
            audit.note("edited", "secret", secret.id, secret.name, after=fields)
    if secret is None:
        raise NotFound(f"There is no secret {secret_id}", "secret_not_found")
    return secret


def _digest(text: str) -> str:
    # Secrets are random, so one hash is enough; a slow one would be paid on every request.
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
