"""Authentication by the secret in X-API-Secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

from flask import current_app, g, request
from werkzeug.local import LocalProxy

from app import logs
from app.config import Settings
from app.limits import LONGEST_ADDRESS, Limits, LookupGuard
from app.rest.envelope import Failure
from models.access import secrets
from models.access.refused_tries import Try
from models.promotions.campaign_counts import Owner
from models.store import audit, clock
from models.store.texts import TYPED_LENGTH


class RestCaller(NamedTuple):
    """Hold the owner whose data a request may see, and what its handler needs besides.

    `today` is the day in the installation's time zone. `count_foreign` is `Limits.count_foreign`
    of this caller.
    """

    owner: Owner
    today: date
    game_url: str
    lookup_guard: LookupGuard
    count_foreign: Callable[[int], None]


current_caller = cast(RestCaller, LocalProxy(lambda: g.rest_caller))


@contextmanager
def noting(call: str, code: str, user_id: str = "") -> Iterator[None]:
    """Note a refusal of a code, which goes on."""
    try:
        yield
    except Exception as problem:
        if key := getattr(problem, "key", ""):
            note_refused(call, code, key, user_id)
        raise


def note_refused(call: str, code: str, reason: str, user_id: str = "") -> None:
    """Note that a code was asked for in vain."""
    address = (request.remote_addr or "")[:LONGEST_ADDRESS]
    refused = Try(
        clock.now(),
        call,
        code[:TYPED_LENGTH],
        reason,
        user_id=logs.masked(user_id),
        address=address,
    )
    refused = refused._replace(who=f"secret {g.secret_id}", owner=current_caller.owner)
    current_app.config["USAGE_LOG"].put_try(refused)


def authenticate() -> None:
    """Set `current_caller` for this request, and `g.secret_id` once it is known.

    Raises Failure and TooMany.
    """
    text = request.headers.get("X-API-Secret", "").strip()
    if not text:
        raise Failure(401, "Missing X-API-Secret header", "secret_missing")
    address = request.remote_addr or ""
    limits: Limits = current_app.config["LIMITS"]
    limits.count_request(address)
    secret = secrets.by_text(text)
    if secret is None:
        limits.wrong_credentials(address)
        raise Failure(401, "Invalid API key", "secret_invalid")
    g.secret_id = secret.id
    who = f"secret:{secret.id}"
    limits.right_credentials(address, "", who)
    if secret.revoked_at is not None:
        raise Failure(403, "API key has been revoked", "secret_revoked")
    if not secret.active:
        raise Failure(403, "Application is not active", "application_inactive")
    settings: Settings = current_app.config["SETTINGS"]
    today = clock.today(ZoneInfo(settings.timezone))
    guard = limits.lookup_guard(who, address)
    audit.ACTOR.set(audit.Actor(audit.SECRET, secret.name or f"…{secret.hint}", address))
    count_foreign = partial(limits.count_foreign, who, address)
    g.rest_caller = RestCaller(secret.owner, today, settings.game_url, guard, count_foreign)
