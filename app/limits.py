"""Limits against abuse, for both faces: rates of calls, lockouts of those who guess.

Whoever is wrong too often within a minute is locked out for a while. A lockout ends by itself.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from urllib.parse import urlsplit

from app.config import BadSetting, Settings, variable
from app.counting import Counts, Memory, Shared
from models.store.errors import NotFound

MINUTE = 60
NETWORK_BITS = 64
"""One IPv6 customer has so many addresses that only their network is one of many."""
NOWHERE = "-"
"""Stands for all that is no address, such as the other end of a unix socket."""
MEMORY = "memory://"
KEPT = 4096
"""How many addresses and names are remembered in the form that they are counted under."""
DIGEST_BYTES = 12
UNKNOWN_CODE = "code_not_found"
log = logging.getLogger(__name__)


class TooMany(Exception):
    """Refuse a request: there were too many; `seconds` from now there may be more."""

    sentence = "Too many requests, try again later"

    def __init__(self, left: float) -> None:
        super().__init__(self.sentence)
        self.seconds = max(1, math.ceil(left))


class Limits:
    """Hold the limits of the settings and what was counted.

    Each count has a key of digests and row ids: no credential, code or address is in it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._counts: Counts = (
            Memory() if settings.limits_url == MEMORY else Shared(settings.limits_url)
        )
        # The password of the store is what all its users share: who only sees the keys, in a dump
        # of the store for one, cannot try names until one fits.
        secret = urlsplit(settings.limits_url).password or ""
        self._digest = lru_cache(KEPT)(partial(_digest, secret.encode()))

    def arrive(self, address: str) -> None:
        """Count a call by its address. Raises TooMany."""
        most = self.settings.calls_of_address_per_minute
        if most:
            self._rate(f"rate:address:{self._digest(place(address))}", most)

    def right_credentials(self, address: str, name: str, who: str) -> None:
        """Count a call by its access; a name that was tried too often waits. Raises TooMany.

        `name` is the api_id, empty where there is none; `who` is the access by its row id.
        """
        if name and self.settings.wrong_credentials_per_minute:
            self._require_unlocked((f"credentials:{self._pair(address, name)}",))
        most = self.settings.calls_of_access_per_minute
        if most:
            self._rate(f"rate:{who}", most)

    def wrong_credentials(self, address: str, name: str = "") -> None:
        """Count a wrong pair or secret, right though its name may be. Raises TooMany.

        Whoever shares an address with a guesser goes on: a right pair is only refused while its
        own name is the one that is tried there.
        """
        most = self.settings.wrong_credentials_per_minute
        keys = {f"credentials:{self._digest(place(address))}": most}
        if name:
            keys[f"credentials:{self._pair(address, name)}"] = most
        self._strike(keys, address, "credentials")

    def guesses(self, who: str, address: str) -> Guesses:
        """Return what counts the unknown codes of an access, at this address."""
        return Guesses(self, who, address)

    def clear(self) -> None:
        """Forget all counts and lockouts of a shared store. Raises BadSetting."""
        if not isinstance(self._counts, Shared):
            raise BadSetting(
                f"{variable('limits_url')} names no store: each server process counts by itself, "
                "and a restart forgets"
            )
        self._counts.clear()

    def _pair(self, address: str, name: str) -> str:
        return f"{self._digest(place(address))}:{self._digest(name)}"

    def _rate(self, key: str, most: int) -> None:
        if self._counts.add(key, MINUTE) > most:
            raise TooMany(self._counts.left(key))

    def _require_unlocked(self, keys: Iterable[str]) -> None:
        for key in keys:
            left = self._counts.left(f"lock:{key}")
            if left:
                raise TooMany(left)

    def _strike(self, keys: Mapping[str, int], address: str, what: str) -> None:
        """Count one more under each key, and lock those that are full. Raises TooMany."""
        longest = 0.0
        lasting = self.settings.lockout_seconds
        for key, most in keys.items():
            if not most:
                continue
            left = self._counts.left(f"lock:{key}")
            if not left:
                count = self._counts.add(f"wrong:{key}", MINUTE)
                if count >= most and self._counts.add(f"lock:{key}", lasting) == 1:
                    log.warning("Too many wrong %s from %s: a lockout", what, place(address))
                # Another process may have locked it within this second.
                left = lasting if count > most else 0
            longest = max(longest, left)
        if longest:
            raise TooMany(longest)


class Guesses:
    """Count the unknown codes of one access and its users; see Limits."""

    __slots__ = ("_address", "_limits", "_who")

    def __init__(self, limits: Limits, who: str, address: str) -> None:
        self._limits = limits
        self._who = who
        self._address = address

    def looking_up(self, user: str | int = "") -> Look:
        """Return the frame of a look-up for a user, a code being unknown when it ends in NotFound.

        Entering it raises TooMany for a user, or a caller, that is locked out.
        """
        settings = self._limits.settings
        caller = f"codes:{self._who}:{self._limits._digest(place(self._address))}"
        keys = {}
        if settings.wrong_codes_of_caller_per_minute:
            keys[caller] = settings.wrong_codes_of_caller_per_minute
        if user and settings.wrong_codes_per_minute:
            keys[f"{caller}:{self._limits._digest(str(user))}"] = settings.wrong_codes_per_minute
        return Look(self._limits, keys, self._address)


class Look:
    """Be the frame of one look-up."""

    __slots__ = ("_address", "_keys", "_limits")

    def __init__(self, limits: Limits, keys: Mapping[str, int], address: str) -> None:
        self._limits = limits
        self._keys = keys
        self._address = address

    def wrong(self) -> None:
        """Count a code that there is none of."""
        self._limits._strike(self._keys, self._address, "codes")

    def __enter__(self) -> Look:
        self._limits._require_unlocked(self._keys)
        return self

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, NotFound) and problem.key == UNKNOWN_CODE:
            self.wrong()


@lru_cache(KEPT)
def place(address: str) -> str:
    """Return what an address is counted as: itself, for IPv6 its network."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return NOWHERE
    if isinstance(read, ipaddress.IPv6Address):
        if read.ipv4_mapped is None:
            return str(ipaddress.ip_network((int(read), NETWORK_BITS), strict=False))
        read = read.ipv4_mapped
    return str(read)


def _digest(secret: bytes, text: str) -> str:
    key = secret[: hashlib.blake2s.MAX_KEY_SIZE]
    return hashlib.blake2s(
        text.encode(errors="replace"), key=key, digest_size=DIGEST_BYTES
    ).hexdigest()
