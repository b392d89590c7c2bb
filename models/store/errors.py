"""Errors of the store; each API translates them in one place."""

from __future__ import annotations

from peewee import InterfaceError, InternalError, OperationalError, ProgrammingError

AWAY = (OperationalError, InterfaceError, InternalError, ProgrammingError)
"""Errors of a store that is away, full or takes no writes; engines differ in what they call a
missing table or a write that they refuse."""


class PromoError(Exception):
    """Say why an operation was refused: a stable key for programs, a sentence for people."""

    key = "error"

    def __init__(self, sentence: str, key: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.key = key or self.key


class NotFound(PromoError):
    """Name something that is not in the store."""

    key = "not_found"


class Conflict(PromoError):
    """Name what stands in the way of a change."""

    key = "conflict"


class Busy(Conflict):
    """Say that a change conflicted with others for too long; nothing of it is stored."""

    key = "busy"

    def __init__(self) -> None:
        super().__init__("The store is busy at this moment, try again")


class OverQuota(PromoError):
    """Say that a caller has as much as it may; it may ask again after so many `seconds`."""

    def __init__(self, sentence: str, key: str, seconds: int) -> None:
        super().__init__(sentence, key)
        self.seconds = seconds


class Invalid(PromoError):
    """Name a value that cannot be stored or acted on."""

    key = "invalid"


class SchemaMismatch(PromoError):
    """Say that the database has another schema than this version needs."""

    key = "schema_mismatch"
