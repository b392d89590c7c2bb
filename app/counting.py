"""Counts that end by themselves: in this process, or in a store that several hosts share."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from app.config import BadSetting, variable

if TYPE_CHECKING:
    from limits.storage import Storage

KEYS = 100_000
"""Counts that one process keeps: some 20 MB; over that the older half is forgotten."""
ANSWER_SECONDS = 0.5
"""How long the shared store may take: a request waits for it."""
AWAY_SECONDS = 5
"""How long a shared store that failed is left alone."""
SAY_SECONDS = 60
FREE_SECONDS = 1
"""How long a process may not know of what another has locked; it asks the store as seldom."""
PREFIX = "promobridge"
REDIS = ("redis", "rediss")
NEEDED = "needs the libraries of pip install promobridge[redis]"
log = logging.getLogger(__name__)
Told = TypeVar("Told", int, float)


class Counts(Protocol):
    """Count under keys; each count is gone its seconds after it began."""

    def add(self, key: str, seconds: int) -> int:
        """Count one more and return how many there are."""

    def left(self, key: str) -> float:
        """Return the seconds until a count is gone, 0 when there is none."""


class Memory:
    """Count in this process.

    The memory storage of the limits library takes ten times as long, starts a thread every few
    milliseconds to look at every key there is, and grows with the number of addresses.
    """

    def __init__(self, most: int = KEYS) -> None:
        self._most = most
        self._counts: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def add(self, key: str, seconds: float) -> int:
        """Count one more and return how many there are."""
        now = time.monotonic()
        with self._lock:
            count, ends = self._counts.get(key, (0, 0.0))
            if ends <= now:
                count, ends = 0, now + seconds
                if len(self._counts) >= self._most:
                    self._make_room(now)
            self._counts[key] = count + 1, ends
        return count + 1

    def left(self, key: str) -> float:
        """Return the seconds until a count is gone, 0 when there is none."""
        found = self._counts.get(key)
        return 0 if found is None else max(0, found[1] - time.monotonic())

    def drop(self, key: str) -> None:
        """Forget a count."""
        self._counts.pop(key, None)

    def _make_room(self, now: float) -> None:
        running = [item for item in self._counts.items() if item[1][1] > now]
        self._counts = dict(running[-self._most // 2 :])


class Shared:
    """Count in a store that other processes and hosts use too.

    While it fails, each process counts by itself and requests are served: limits guard against
    abuse, and a promotion that nobody can redeem would be the abuser's success.
    """

    def __init__(self, url: str) -> None:
        self._storage = _opened(url)
        failures = self._storage.base_exceptions
        self._failures: tuple[type[Exception], ...] = (
            OSError,
            *(failures if isinstance(failures, tuple) else (failures,)),
        )
        self._own = Memory()
        self._free = Memory()
        self._away_until = 0.0
        self._say_at = 0.0

    def add(self, key: str, seconds: int) -> int:
        """Count one more and return how many there are."""
        self._free.drop(key)
        return self._told(
            lambda: self._storage.incr(key, seconds), lambda: self._own.add(key, seconds)
        )

    def left(self, key: str) -> float:
        """Return the seconds until a count is gone, 0 when there was none a second ago."""
        if self._free.left(key):
            return 0
        left = self._told(
            # The storage puts its own `time.time()` on top of what is left.
            lambda: max(0.0, self._storage.get_expiry(key) - time.time()),
            lambda: self._own.left(key),
        )
        if not left:
            self._free.add(key, FREE_SECONDS)
        return left

    def clear(self) -> None:
        """Forget all counts, those of other processes too. Raises BadSetting without the store."""
        try:
            self._storage.reset()
        except self._failures as problem:
            raise _bad_url(f"cannot be reached: {type(problem).__name__}") from None

    def _told(self, ask: Callable[[], Told], ourselves: Callable[[], Told]) -> Told:
        if time.monotonic() < self._away_until:
            return ourselves()
        try:
            return ask()
        except self._failures as problem:
            now = time.monotonic()
            self._away_until = now + AWAY_SECONDS
            if now >= self._say_at:
                self._say_at = now + SAY_SECONDS
                kind = type(problem).__name__
                log.warning("Limits are counted by each process: their store fails (%s)", kind)
            return ourselves()


def _opened(url: str) -> Storage:
    """Return the storage of a URL, nothing being sent yet. Raises BadSetting."""
    # Imported here: counting in memory needs neither library, and an installation may lack them.
    try:
        from limits.errors import ConfigurationError
        from limits.storage import Storage, storage_from_string
    except ImportError:
        raise _bad_url(NEEDED) from None
    try:
        if urlsplit(url).scheme not in REDIS:
            storage = storage_from_string(url)
        else:
            from limits.storage import RedisStorage
            from redis import ConnectionPool
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            pool = ConnectionPool.from_url(
                url,
                socket_timeout=ANSWER_SECONDS,
                socket_connect_timeout=ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 1),  # once: a restarted Redis has closed the connection
            )
            storage = RedisStorage(url, connection_pool=pool, key_prefix=PREFIX)
    except ImportError:
        raise _bad_url(NEEDED) from None
    except (ConfigurationError, ValueError):
        raise _bad_url("must be memory:// or like redis://HOST:6379/0") from None
    if not isinstance(storage, Storage):
        raise _bad_url("must not be asynchronous")
    return storage


def _bad_url(reason: str) -> BadSetting:
    return BadSetting(f"{variable('limits_url')} {reason}")
