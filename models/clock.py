"""The one place where time and chance enter, so that tests can hold them still."""

from __future__ import annotations

import secrets
import time


def now() -> int:
    """Return the time as whole Unix seconds (UTC)."""
    return int(time.time())


def random_bytes(count: int) -> bytes:
    """Return `count` bytes from the operating system's secure source."""
    return secrets.token_bytes(count)
