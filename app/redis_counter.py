"""Count limits in a Redis that processes and hosts share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from app.limits import MemoryCounter, wrong_url

ANSWER_SECONDS = 0.5
"""How long Redis may take: a request waits for it."""
AWAY_SECONDS = 5
"""How long a Redis that failed is left alone."""
WARN_SECONDS = 60
FREE_SECONDS = 1
"""How long a key without a count in Redis is not asked for again."""
log = logging.getLogger(__name__)


class RedisCounter(MemoryCounter):
    """Count in Redis by the `limits` library; while it is away, in this process.

    A limit that refused everybody then would do the abuser's work.
    """

    def __init__(self, url: str) -> None:
        """Take the URL; nothing is sent yet. Raises BadSetting."""
        super().__init__()
        # Imported here: an installation that counts in memory may lack both libraries.
        try:
            from limits.storage import RedisStorage
            from redis import ConnectionError, ConnectionPool, RedisError
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise wrong_url("needs the libraries of pip install promobridge[redis]") from None
        # Once more on a connection that a restarted Redis has closed, but not after a timeout.
        retry = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))
        try:
            pool = ConnectionPool.from_url(url, socket_timeout=ANSWER_SECONDS, retry=retry)
        except ValueError:
            raise wrong_url("must be memory:// or like redis://HOST:6379/0") from None
        self._storage = RedisStorage(url, connection_pool=pool, key_prefix="promobridge")
        self._failures = (OSError, RedisError)
        self._free = MemoryCounter()
        self._away_until = 0.0
        self._warn_at = 0.0

    def add(self, key: str, seconds: float, times: int = 1) -> int:
        """Count so many more and return how many; the first begins a count of so many seconds."""
        count = self._asked(lambda: self._storage.incr(key, int(seconds), times))
        return super().add(key, seconds, times) if count is None else int(count)

    def left(self, key: str) -> float:
        """Return the seconds until a count expires, 0 when there is none."""
        left = self._expiry(key)
        return super().left(key) if left is None else left

    def lock(self, key: str, wider: str, seconds: float) -> bool:
        """Lock a key; return False if it was locked. While Redis is away as in memory."""
        self._free.drop(key)
        count = self._asked(lambda: self._storage.incr(f"lock:{key}", int(seconds)))
        return super().lock(key, wider, seconds) if count is None else count == 1

    def locked(self, key: str) -> float:
        """Return the seconds until a key is free, 0 when it was a second ago."""
        if self._free.left(key):
            return 0
        left = self._expiry(f"lock:{key}")
        if left is None:
            left = super().locked(key)
        if not left:
            self._free.add(key, FREE_SECONDS)
        return left

    def clear(self) -> None:
        """Forget all counts, those of other processes too. Raises BadSetting without Redis."""
        try:
            self._storage.reset()
        except self._failures as problem:
            raise wrong_url(f"cannot be reached: {type(problem).__name__}") from None

    def _expiry(self, key: str) -> float | None:
        # The storage puts its own `time.time()` on top of what is left.
        return self._asked(lambda: max(0.0, self._storage.get_expiry(key) - time.time()))

    def _asked(self, ask: Callable[[], float]) -> float | None:
        """Run a command on Redis; return None while it cannot be reached."""
        now = time.monotonic()
        if now < self._away_until:
            return None
        try:
            return ask()
        except self._failures as problem:
            self._away_until = time.monotonic() + AWAY_SECONDS
            if now >= self._warn_at:
                self._warn_at = now + WARN_SECONDS
                kind = type(problem).__name__
                log.warning("Limits are counted by each process: their store fails (%s)", kind)
            return None


def counter(url: str) -> MemoryCounter:
    """Return the counter for a URL. Raises BadSetting."""
    return MemoryCounter() if url == "memory://" else RedisCounter(url)
