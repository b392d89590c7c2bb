"""Throttling of those who guess: wrong secrets by address, wrong codes by secret and user."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app.config import Settings
from app.rest.envelope import Failure

CALLER_FACTOR = 10
"""How many users' worth of wrong codes one caller may send in all."""


class Throttle:
    """Count wrong secrets and codes, in this process or in the store that the settings name.

    Only those who are wrong are counted, so nobody who is right is slowed by their own number.
    """

    def __init__(self, settings: Settings) -> None:
        self._storage_url = settings.throttle_storage_url
        self._secrets = RateLimitItemPerMinute(settings.wrong_secrets_per_minute)
        codes = settings.wrong_codes_per_minute
        self._codes = RateLimitItemPerMinute(codes)
        self._codes_of_caller = RateLimitItemPerMinute(codes * CALLER_FACTOR)
        self._pid = 0
        self._made: FixedWindowRateLimiter

    def count_wrong_secret(self, address: str) -> None:
        """Count a wrong secret from an address. Raises Failure once there are too many."""
        if not self._limiter.hit(self._secrets, "secret", address):
            raise self._too_many(self._secrets, "secret", address)

    def require_few_wrong_codes(self, secret_id: int, address: str, user_id: str = "") -> None:
        """Raise Failure when this user, or all of this caller's, sent too many wrong codes."""
        for item, names in self._of_codes(secret_id, address, user_id):
            if not self._limiter.test(item, *names):
                raise self._too_many(item, *names)

    def count_wrong_code(self, secret_id: int, address: str, user_id: str = "") -> None:
        """Count a code that there is none of."""
        for item, names in self._of_codes(secret_id, address, user_id):
            self._limiter.hit(item, *names)

    def _of_codes(
        self, secret_id: int, address: str, user_id: str
    ) -> Iterator[tuple[RateLimitItem, tuple[str, ...]]]:
        caller = ("code", str(secret_id), address)
        if user_id:
            yield self._codes, (*caller, user_id)
            yield self._codes_of_caller, (*caller, "")
        else:
            yield self._codes, caller

    @property
    def _limiter(self) -> FixedWindowRateLimiter:
        # Made in the process that counts: its storage has a thread, and threads do not survive a
        # fork.
        if self._pid != os.getpid():
            self._made = FixedWindowRateLimiter(storage_from_string(self._storage_url))
            self._pid = os.getpid()
        return self._made

    def _too_many(self, item: RateLimitItem, *names: str) -> Failure:
        resets_at = self._limiter.get_window_stats(item, *names).reset_time
        seconds = max(1, round(resets_at - time.time()))
        return Failure(
            429,
            "Too many requests",
            "too_many_requests",
            headers={"Retry-After": str(seconds)},
        )
