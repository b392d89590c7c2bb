"""Digests of passwords by argon2, one at a time: each takes 64 MiB."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from models.store.errors import Busy, Invalid

SHORTEST, LONGEST = 12, 128
WAIT_SECONDS = 5
"""How long a password waits for those before it."""
_hasher = PasswordHasher()
_turn = threading.Semaphore(1)


class Crowded(Busy):
    """Say that too many passwords are being looked at; the same can be tried again."""


def digest(password: str, name: str = "") -> str:
    """Return the digest of a new password for a user of this name. Raises Invalid and Crowded."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters", "password")
    if name and name.casefold() in password.casefold():
        raise Invalid("A password must not hold the name of its user", "password")
    with _in_turn():
        return _hasher.hash(_bytes(password))


def verify(kept: str, password: str) -> bool:
    """Tell whether a password is the one of a digest; for "" it takes as long. Raises Crowded."""
    with _in_turn():
        try:
            return _hasher.verify(kept or _of_nobody(), _bytes(password[:LONGEST])) and bool(kept)
        except (Argon2Error, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Tell whether a digest was made with less work than is asked for now."""
    return _hasher.check_needs_rehash(kept)


@cache
def _of_nobody() -> str:
    return _hasher.hash(b"nobody has this password")


def _bytes(password: str) -> bytes:
    return password.encode(errors="surrogatepass")


@contextmanager
def _in_turn() -> Iterator[None]:
    if not _turn.acquire(timeout=WAIT_SECONDS):
        raise Crowded
    try:
        yield
    finally:
        _turn.release()
