"""Unchanged: what was read is read again only after something was stored."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from models.store.base import database

Read = TypeVar("Read")
MOST = 16
"""How many answers a connection remembers."""


def unless_changed(question: Hashable, read: Callable[[], Read]) -> Read:
    """Return what `read` returned to this question before if nothing was stored since.

    On SQLite, which can tell at a fraction of what most questions cost; elsewhere, and inside a
    transaction, `read` is asked each time.
    """
    memory = database.memory()
    if memory is None:
        return read()
    if question not in memory:
        if len(memory) >= MOST:
            memory.clear()
        memory[question] = read()
    known: Read = memory[question]
    return known
