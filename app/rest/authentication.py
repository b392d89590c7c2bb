"""Authentication by the secret in X-API-Secret."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

from flask import current_app, g, request
from werkzeug.local import LocalProxy

from app.config import Settings
from app.limits import Limits, LookupGuard
from app.rest.envelope import Failure
from models.access import secrets
from models.access.secrets import Secret
from models.promotions.campaign_counts import Owner
from models.store import clock


class RestCaller(NamedTuple):
    """Hold the secret of a request and what its handler needs to know of the installation."""

    secret: Secret
    settings: Settings
    lookup_guard: LookupGuard

    @property
    def owner(self) -> Owner:
        """Return the owner of the data that may be seen."""
        return self.secret.owner

    @property
    def today(self) -> date:
        """Return the day in the installation's time zone."""
        return clock.today(ZoneInfo(self.settings.timezone))


current_caller = cast(RestCaller, LocalProxy(lambda: g.rest_caller))


def authenticate() -> None:
    """Set `current_caller` for this request. Raises Failure and TooMany."""
    text = request.headers.get("X-API-Secret", "").strip()
    if not text:
        raise Failure(401, "Missing X-API-Secret header", "secret_missing")
    address = request.remote_addr or ""
    limits: Limits = current_app.config["LIMITS"]
    limits.arrive(address)
    secret = secrets.by_text(text)
    if secret is None:
        limits.wrong_credentials(address)
        raise Failure(401, "Invalid API key", "secret_invalid")
    who = f"secret:{secret.id}"
    limits.right_credentials(address, "", who)
    if secret.revoked_at is not None:
        raise Failure(403, "API key has been revoked", "secret_revoked")
    if not secret.active:
        raise Failure(403, "Application is not active", "application_inactive")
    guard = limits.lookup_guard(who, address)
    g.rest_caller = RestCaller(secret, current_app.config["SETTINGS"], guard)
