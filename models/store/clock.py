"""Time and randomness, read in one place so that tests can replace them."""

from __future__ import annotations

import secrets
import time
import uuid
from datetime import date, datetime, tzinfo
from datetime import time as daytime


class Source:
    """Tell the time, and chance from the operating system's secure source."""

    def time(self) -> float:
        """Return the time in Unix seconds (UTC)."""
        return time.time()

    def random_bytes(self, count: int) -> bytes:
        """Return so many bytes."""
        return secrets.token_bytes(count)

    def random_below(self, limit: int) -> int:
        """Return a number from 0 to limit - 1, each as likely as any other."""
        return secrets.randbelow(limit)

    def random_name(self) -> str:
        """Return 32 hexadecimal digits that name a request."""
        return secrets.token_hex(16)


_source = Source()


def replace_source(source: Source) -> None:
    """Tell time and chance by another source: for the test double alone, which has a seed."""
    global _source  # one for the process
    _source = source


def now() -> int:
    """Return the time as whole Unix seconds (UTC)."""
    return int(_source.time())


def today(zone: tzinfo) -> date:
    """Return the day that it is in a time zone."""
    return datetime.fromtimestamp(now(), zone).date()


def midnight(day: date, zone: tzinfo) -> int:
    """Return the Unix seconds at which a day begins in a time zone."""
    return int(datetime.combine(day, daytime.min, zone).timestamp())


def random_uuid() -> str:
    """Return a random UUID in its plain form."""
    return str(uuid.UUID(bytes=random_bytes(16), version=4))


def random_bytes(count: int) -> bytes:
    """Return `count` bytes from the operating system's secure source."""
    return _source.random_bytes(count)


def random_below(limit: int) -> int:
    """Return a number from 0 to limit - 1, each as likely as any other, from the same source."""
    return _source.random_below(limit)


def random_name() -> str:
    """Return 32 hexadecimal digits that name a request."""
    return _source.random_name()


def elapsed() -> float:
    """Return the seconds of a monotonic clock."""
    return time.monotonic()


def wait(seconds: float) -> None:
    """Sleep for so many seconds, not at all for less than 0."""
    time.sleep(max(0.0, seconds))


def pause(most: float) -> None:
    """Sleep for a random part of so many seconds, so that retries do not collide again."""
    time.sleep(most * secrets.randbelow(1000) / 1000)
