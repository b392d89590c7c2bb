"""Limits against abuse, for both APIs: rates of calls, lockouts of those who guess.

Whoever is wrong too often within a minute is locked out for a while. A lockout lasts from the
guess that made it: later ones do not extend it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit

from app.config import BadSetting, Settings, variable
from calls import LookupGuard
from models.promotions.coupons import EXISTS_ELSEWHERE
from models.store.errors import PromoError

MINUTE = 60
NETWORK_BITS = 64
"""IPv6 addresses are counted by their network: one customer has all addresses of it."""
NOWHERE = "-"
"""Stands for all that is no address, such as the other end of a unix socket."""
LONGEST_ADDRESS = 64
"""An IPv6 address with the name of an interface; behind a proxy a client may send any text."""
WRONG_CODES = ("code_not_found", EXISTS_ELSEWHERE)
"""The keys of refusals that tell of a code, if it is there, though it is not the caller's."""
DIGEST_BYTES = 12
MOST_COUNTS = 100_000
"""How many counts a process keeps, some 20 MB; over that the older half is forgotten."""
MOST_LOCKS = 100_000
"""How many lockouts a process keeps, some 20 MB; over that whole addresses are locked out."""
log = logging.getLogger(__name__)


class TooMany(Exception):
    """Refuse a request over a limit; it may be repeated after `seconds`."""

    sentence = "Too many requests, try again later"
    key = "too_many_requests"

    def __init__(self, left: float) -> None:
        super().__init__(self.sentence)
        self.seconds = max(1, math.ceil(left))


class MemoryCounter:
    """Count in the memory of this process, and keep its lockouts apart from the counts.

    The memory storage of the `limits` library has no bound (200,000 keys take 71 MB), and with
    100,000 its timer thread, which looks at every key each time, takes half a core.
    """

    def __init__(self, most: int = MOST_COUNTS, most_locks: int = MOST_LOCKS) -> None:
        self._most = most
        self._most_locks = most_locks
        self._counts: dict[str, tuple[int, float]] = {}
        # When each lock ends. All last as long, so the first one made is the first to end.
        self._locks: OrderedDict[str, float] = OrderedDict()
        self._wide_locks: OrderedDict[str, float] = OrderedDict()
        self._crowded_until = 0.0
        self._lock = threading.Lock()

    def add(self, key: str, seconds: float, times: int = 1) -> int:
        """Count so many more and return how many; the first begins a count of so many seconds."""
        now = time.monotonic()
        with self._lock:
            count, ends = self._counts.get(key, (0, 0.0))
            if ends <= now:
                count, ends = 0, now + seconds
                if len(self._counts) >= self._most:
                    running = [item for item in self._counts.items() if item[1][1] > now]
                    self._counts = dict(running[-self._most // 2 :])
            self._counts[key] = count + times, ends
        return count + times

    def left(self, key: str) -> float:
        """Return the seconds until a count expires, 0 when there is none."""
        found = self._counts.get(key)
        return 0 if found is None else max(0, found[1] - time.monotonic())

    def drop(self, key: str) -> None:
        """Forget a count."""
        self._counts.pop(key, None)

    def lock(self, key: str, wider: str, seconds: float) -> bool:
        """Lock a key, or where there is no room a wider one; return False if that was locked.

        A lock is kept until it ends. Only of the wider ones, which are of as many addresses, the
        oldest goes when there are too many.
        """
        with self._lock:
            now = time.monotonic()
            locks = self._locks
            _drop_ended(locks, now)
            if key not in locks and len(locks) >= self._most_locks:
                key, locks = wider, self._wide_locks
                self._crowded_until = now + seconds
                _drop_ended(locks, now)
                if key not in locks and len(locks) >= self._most_locks:
                    locks.popitem(last=False)
            if key in locks:
                return False
            locks[key] = now + seconds
        return True

    def locked(self, key: str) -> float:
        """Return the seconds until a key is free, 0 when it is."""
        ends = max(self._locks.get(key, 0.0), self._wide_locks.get(key, 0.0))
        return max(0.0, ends - time.monotonic())

    def is_crowded(self) -> bool:
        """Tell whether a wider key may be locked in place of others."""
        return self._crowded_until > time.monotonic()

    def clear(self) -> None:
        """Raise BadSetting: the counts are in the memory of other processes."""
        raise wrong_url(
            "names no store: each server process counts by itself, and a restart forgets"
        )


class Limits:
    """Hold the limits of the settings and what was counted.

    Each count has a key of digests and row ids: no credential, code or address is in it.
    """

    def __init__(self, settings: Settings, counter: MemoryCounter) -> None:
        self.settings = settings
        self._counter = counter
        # The password of Redis is what all its users share: who only sees the keys, in a dump for
        # one, cannot try names until one fits.
        secret = (urlsplit(settings.limits_url).password or "").encode()
        secret = secret[: hashlib.blake2s.MAX_KEY_SIZE]
        self._keyed = hashlib.blake2s(key=secret, digest_size=DIGEST_BYTES)

    def count_request(self, address: str) -> None:
        """Count a call by its address. Raises TooMany."""
        most = self.settings.calls_of_address_per_minute
        self._rate(self._keys("rate:address", address, {"": most}))

    def right_credentials(self, address: str, name: str, who: str) -> None:
        """Count a call by its access; a name that was tried too often waits. Raises TooMany.

        `name` is the api_id, empty where there is none; `who` is the access by its row id.
        """
        if name:
            most = self.settings.wrong_credentials_per_minute
            self._require_unlocked("credentials", address, {name: most})
        self._rate({f"rate:{who}": self.settings.calls_of_access_per_minute})

    def may_guess(self, address: str, name: str) -> None:
        """Refuse whoever is locked out for wrong pairs. Raises TooMany."""
        most = self.settings.wrong_credentials_per_minute
        self._require_unlocked("credentials", address, {"": most, name: most})

    def wrong_credentials(self, address: str, name: str = "") -> None:
        """Count a wrong pair or secret, right though its name may be. Raises TooMany.

        Whoever shares an address with a guesser goes on: a right pair is only refused while its
        own name is the one that is tried there.
        """
        most = self.settings.wrong_credentials_per_minute
        self._count_wrong("credentials", address, {"": most, name: most})

    def lookup_guard(self, who: str, address: str) -> LookupGuard:
        """Return the guard that limits look-ups by an access at an address."""
        return partial(self._look_up, who, address)

    def count_foreign(self, who: str, address: str, times: int) -> None:
        """Count codes that an access learnt to exist though they are not its own, 0 or more.

        They count as unknown codes of the caller, and as those of one user wherever it calls from:
        each has many guesses behind it. Raises TooMany, at 0 for who is locked out.
        """
        limits = (
            (f"codes of others:{who}", NOWHERE, {"": self.settings.wrong_codes_per_minute}),
            (f"codes:{who}", address, {"": self.settings.wrong_codes_of_caller_per_minute}),
        )
        for limit in limits:
            self._require_unlocked(*limit)
        for limit in limits if times else ():
            self._count_wrong(*limit, times)

    @contextmanager
    def _look_up(self, who: str, address: str, user: str | int = "") -> Iterator[None]:
        """Refuse a locked-out caller, count a refusal that is of WRONG_CODES. Raises TooMany."""
        most_by_name = {"": self.settings.wrong_codes_of_caller_per_minute}
        if user:
            most_by_name[str(user)] = self.settings.wrong_codes_per_minute
        self._require_unlocked(f"codes:{who}", address, most_by_name)
        try:
            yield
        except PromoError as problem:
            if problem.key in WRONG_CODES:
                self._count_wrong(f"codes:{who}", address, most_by_name)
            raise

    def _rate(self, keys: Mapping[str, int]) -> None:
        for key, most in keys.items():
            if most and self._counter.add(key, MINUTE) > most:
                raise TooMany(self._counter.left(key))

    def _require_unlocked(self, what: str, address: str, most: Mapping[str, int]) -> None:
        keys = [*self._keys(what, address, most)]
        if keys and self._counter.is_crowded():
            keys.append(self._key(what, address, ""))
        for key in keys:
            left = self._counter.locked(key)
            if left:
                raise TooMany(left)

    def _count_wrong(
        self, what: str, address: str, most_by_name: Mapping[str, int], times: int = 1
    ) -> None:
        """Count wrong tries under each name, and lock those at their limit. Raises TooMany."""
        longest = 0.0
        lasting = self.settings.lockout_seconds
        for key, most in self._keys(what, address, most_by_name).items():
            left = self._counter.locked(key)
            if not left:
                count = self._counter.add(f"wrong:{key}", MINUTE, times)
                whole = self._key(what, address, "")
                if count >= most and self._counter.lock(key, whole, lasting):
                    kind, _, _ = what.partition(":")
                    log.warning("Too many wrong %s from %s: a lockout", kind, network(address))
                # Another process may have locked it within this second.
                left = lasting if count > most else 0
            longest = max(longest, left)
        if longest:
            raise TooMany(longest)

    def _keys(self, what: str, address: str, most: Mapping[str, int]) -> dict[str, int]:
        """Return limits of names at an address by the keys to count under, without those of 0."""
        return {self._key(what, address, name): limit for name, limit in most.items() if limit}

    def _key(self, what: str, address: str, name: str) -> str:
        """Return the key of a name at an address; "" is all that comes from there."""
        digest = self._keyed.copy()
        digest.update(f"{network(address)}\n{name}".encode(errors="replace"))
        return f"{what}:{digest.hexdigest()}"


def network(address: str) -> str:
    """Return what an address is counted as: itself, for IPv6 its network."""
    try:
        read = ipaddress.ip_address(address[:LONGEST_ADDRESS])
    except ValueError:
        return NOWHERE
    read = getattr(read, "ipv4_mapped", None) or read
    if read.version == 4:
        return str(read)
    return str(ipaddress.ip_network((int(read), NETWORK_BITS), strict=False))


def _drop_ended(locks: OrderedDict[str, float], now: float) -> None:
    while locks and next(iter(locks.values())) <= now:
        locks.popitem(last=False)


def wrong_url(reason: str) -> BadSetting:
    """Return the error for a URL at which nothing can be counted."""
    return BadSetting(f"{variable('limits_url')} {reason}")
