"""Webhooks: which address is told of which events, in which form, and whether it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import BigIntegerField, BooleanField, CharField, SmallIntegerField, TextField, fn

from models.store import audit, clock
from models.store.base import JSONText, Row, change, locked, retried
from models.store.errors import Conflict, Invalid, NotFound, OverQuota
from models.store.texts import is_one_line

REDEEMED, RELEASED, REVOKED, EXPIRED = (
    "code.redeemed",
    "code.released",
    "code.revoked",
    "code.expired",
)
BATCH_CREATED, BATCH_READY, BATCH_ARCHIVED = "batch.created", "batch.ready", "batch.archived"
CAMPAIGN_ENDED = "campaign.ended"
EVENTS = (
    REDEEMED,
    RELEASED,
    REVOKED,
    EXPIRED,
    BATCH_CREATED,
    BATCH_READY,
    BATCH_ARCHIVED,
    CAMPAIGN_ENDED,
)
TEST = "webhook.test"
"""What a webhook is sent to try it; no change has this name."""
TOLD = {"message": "This is a test of your webhook"}
"""The data of that event."""
STANDARD, GAMIFYHOST = "standard", "gamifyhost"
FORMATS = (STANDARD, GAMIFYHOST)
URL_LENGTH = 2000
NAME_LENGTH = 255
MOST = 100
"""Webhooks of an installation: each may have two requests under way, in threads of one process."""
MOST_OF_OWNER = 20
KEPT_SECRET_SECONDS = 86_400
"""How long the secret before a rotation signs too."""
FAILING_SECONDS = 5 * 86_400
"""How long a webhook may fail before it is disabled."""
HOLD_SECONDS = 5
"""How long a process that sends has a webhook for itself unless it says so again."""
RETRY_SECONDS = 60


class Webhook(Row):
    """Keep one webhook. Without a partner it is the operator's, who is told of everything.

    `secret` and `old_secret` are sealed texts, which this package cannot open; the old one signs
    too until `old_secret_until`. `networks` are those that it may lie in beside public addresses.
    `held_by` names the process that sends to it until `held_until`. Times are Unix seconds.
    """

    uuid = CharField(max_length=36, unique=True)
    url = CharField(max_length=URL_LENGTH)
    events = JSONText()
    format = CharField(max_length=16, default=STANDARD)
    environment = SmallIntegerField()
    partner = CharField(max_length=NAME_LENGTH, null=True)
    full_codes = BooleanField(default=False)
    networks = JSONText()
    secret = TextField()
    old_secret = TextField(null=True)
    old_secret_until = BigIntegerField(null=True)
    enabled = BooleanField(default=True)
    disabled_why = CharField(max_length=255, default="")
    failing_since = BigIntegerField(null=True)
    held_by = CharField(max_length=36, default="")
    held_until = BigIntegerField(default=0)
    created_at = BigIntegerField()


@dataclass(frozen=True)
class Whose:
    """Name whose webhooks are meant: without a partner any of the environment, without both all."""

    environment: int | None = None
    partner: str | None = None

    @property
    def condition(self) -> Any:
        """Return what their rows have in common."""
        which = Webhook.id > 0
        if self.environment is not None:
            which &= Webhook.environment == self.environment
        return which if self.partner is None else which & (Webhook.partner == self.partner)


@retried
def add(
    url: str,
    events: Sequence[str],
    secret: str,
    environment: int,
    partner: str | None = None,
    **fields: Any,
) -> Webhook:
    """Make a webhook; its URL was checked, its secret is sealed.

    `fields` are its format, full_codes and networks. Raises Invalid, OverQuota, and Conflict where
    there is one of the owner with this URL: whoever lost the answer rotates its secret.
    """
    known = dict.fromkeys(events)
    unknown = [name for name in known if name not in EVENTS]
    if unknown or not known:
        raise Invalid(f"The events are one or more of: {', '.join(EVENTS)}", "events_unknown")
    if fields.get("format") == GAMIFYHOST and list(known) != [REDEEMED]:
        raise Invalid(
            f"In GamifyHost's form there are points that codes have given alone: {REDEEMED}",
            "events_unknown",
        )
    if partner is not None and not (len(partner) <= NAME_LENGTH and is_one_line(partner)):
        raise Invalid(f"The name of a partner is one line of {NAME_LENGTH} characters at most")
    with change():
        webhook = Webhook.create(
            uuid=clock.random_uuid(),
            url=url,
            events=list(known),
            secret=secret,
            environment=environment,
            partner=partner,
            created_at=clock.now(),
            **({"networks": []} | fields),
        )
        # After the change, which holds other writers off on SQLite; elsewhere a few too many pass.
        own = Whose(environment, partner)
        same = Webhook.environment == environment, Webhook.url == url, _of_partner(partner)
        if Webhook.select().where(*same, Webhook.id != webhook.id).exists():
            raise Conflict("There is a webhook with this URL already", "webhook_exists")
        if count() > MOST or (partner is not None and count(own) > MOST_OF_OWNER):
            raise OverQuota(
                f"There are {MOST} webhooks at most, {MOST_OF_OWNER} of one partner: remove one",
                "webhook_quota",
                RETRY_SECONDS,
            )
        audit.note("made", "webhook", webhook.id, audited_url(url))
    return webhook


def listed(whose: Whose = Whose()) -> list[Webhook]:
    """Return the webhooks in the order they were made."""
    return list(Webhook.select().where(whose.condition).order_by(Webhook.id))


def count(whose: Whose = Whose()) -> int:
    """Return how many webhooks there are."""
    return int(Webhook.select(fn.COUNT(Webhook.id)).where(whose.condition).scalar())


def by_id(webhook_id: int) -> Webhook:
    """Return a webhook. Raises NotFound."""
    found: Webhook | None = Webhook.get_or_none(Webhook.id == webhook_id)
    if found is None:
        raise NotFound(f"There is no webhook {webhook_id}", "webhook_not_found")
    return found


def by_uuid(whose: Whose, uuid: str) -> Webhook:
    """Return one of the webhooks. Raises NotFound."""
    found: Webhook | None = Webhook.get_or_none(whose.condition, Webhook.uuid == uuid.lower())
    if found is None:
        raise NotFound("Webhook not found", "webhook_not_found")
    return found


@retried
def rotate(webhook_id: int, secret: str) -> Webhook:
    """Give a webhook another sealed secret; the old one signs too for KEPT_SECRET_SECONDS.

    Raises NotFound, and Conflict while the secret before the last rotation still signs: a third
    one would end it early.
    """
    with change():
        webhook = _locked(webhook_id)
        now = clock.now()
        if webhook.old_secret_until is not None and webhook.old_secret_until > now:
            raise Conflict("The secret was changed less than a day ago", "webhook_rotated")
        _edit(
            webhook,
            "rotated",
            secret=secret,
            old_secret=webhook.secret,
            old_secret_until=now + KEPT_SECRET_SECONDS,
        )
    return webhook


@retried
def disable(webhook_id: int, why: str = "") -> Webhook:
    """Send nothing to a webhook any more until it is enabled. Raises NotFound."""
    with change():
        webhook = _locked(webhook_id)
        if webhook.enabled:
            _edit(webhook, "disabled", why, enabled=False, disabled_why=why)
    return webhook


@retried
def enable(webhook_id: int) -> Webhook:
    """Send to a webhook again, first what waited when it was disabled. Raises NotFound."""
    with change():
        webhook = _locked(webhook_id)
        if not webhook.enabled:
            _edit(webhook, "enabled", enabled=True, disabled_why="", failing_since=None)
    return webhook


def removed(webhook_id: int) -> Webhook:
    """Delete a webhook in the transaction of its deliveries' end. Raises NotFound."""
    webhook = _locked(webhook_id)
    webhook.delete_instance()
    audit.note("deleted", "webhook", webhook_id, audited_url(webhook.url))
    return webhook


@retried
def hold(webhook_ids: Sequence[int], holder: str) -> list[Webhook]:
    """Hold webhooks for a process that sends; return those that no other process has."""
    if not webhook_ids:
        return []
    now = clock.now()
    with change():
        free = (Webhook.held_by == holder) | (Webhook.held_until <= now)
        free |= Webhook.held_until > now + HOLD_SECONDS  # the clock was set back
        Webhook.update(held_by=holder, held_until=now + HOLD_SECONDS).where(
            Webhook.id.in_(list(webhook_ids)), free
        ).execute()
    return list(
        Webhook.select().where(
            Webhook.id.in_(list(webhook_ids)), Webhook.held_by == holder, Webhook.enabled
        )
    )


@retried
def let_go(holder: str) -> None:
    """Leave all webhooks that a process holds to others."""
    with change():
        Webhook.update(held_by="", held_until=0).where(Webhook.held_by == holder).execute()


def note_success(webhook_id: int) -> None:
    """Keep, in the transaction of a delivery, that a webhook answers."""
    Webhook.update(failing_since=None).where(
        Webhook.id == webhook_id, Webhook.failing_since.is_null(False)
    ).execute()


def note_failure(webhook_id: int, gone: bool) -> str:
    """Keep, in the transaction of a try, that a webhook failed; return why it is disabled now.

    "" when it is not: it is when it is `gone`, or has failed for FAILING_SECONDS.
    """
    now = clock.now()
    Webhook.update(failing_since=now).where(
        Webhook.id == webhook_id, Webhook.failing_since.is_null()
    ).execute()
    webhook = Webhook.get_or_none(Webhook.id == webhook_id, Webhook.enabled)
    if webhook is None:
        return ""
    why = ""
    if gone:
        why = "It answered 410: it wants no more events"
    elif (webhook.failing_since or now) <= now - FAILING_SECONDS:
        why = "It failed for five days"
    if why:
        disable(webhook_id, why)
    return why


def _edit(webhook: Webhook, action: str, reason: str = "", **fields: Any) -> None:
    for name, value in fields.items():
        setattr(webhook, name, value)
    webhook.save(only=list(fields))
    with audit.because(reason):
        audit.note(action, "webhook", webhook.id, audited_url(webhook.url))


def _of_partner(partner: str | None) -> Any:
    return Webhook.partner.is_null() if partner is None else Webhook.partner == partner


def _locked(webhook_id: int) -> Webhook:
    found: Webhook | None = locked(Webhook.select().where(Webhook.id == webhook_id)).first()
    if found is None:
        raise NotFound(f"There is no webhook {webhook_id}", "webhook_not_found")
    return found


def audited_url(url: str) -> str:
    """Return a URL without its query, which may hold a secret."""
    return url.split("?")[0]
