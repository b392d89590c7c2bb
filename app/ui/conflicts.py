"""Refuse a change of a row that somebody else has changed meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, render_template

from models.store.base import change, locked, retried


@dataclass(eq=False)
class Conflicted(Exception):
    """Hold both versions by the labels of their fields, and where the newer one can be edited."""

    yours: Mapping[str, str] = field(default_factory=dict)
    theirs: Mapping[str, str] = field(default_factory=dict)
    again: str = ""


def require(
    sent: str,
    current: object,
    yours: Mapping[str, str] | None = None,
    theirs: Mapping[str, str] | None = None,
    again: str = "",
) -> None:
    """Raise Conflicted unless the revision that a form was made of is the current one."""
    if sent != str(current):
        raise Conflicted(yours or {}, theirs or {}, again)


@retried
def unchanged(row: Any, check: Callable[[Any], object], deed: Callable[[], Any]) -> Any:
    """Do a deed in one transaction with the check of the row that a query finds.

    Nobody else changes the row in between. What either raises undoes the whole.
    """
    with change():
        check(locked(row).get())
        return deed()


def revision(*values: object) -> str:
    """Return a short text that differs whenever one of the values does."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def init_app(app: Flask) -> None:
    """Answer conflicts with both versions side by side."""
    app.register_error_handler(Conflicted, _shown)


def _shown(problem: Conflicted) -> tuple[str, int]:
    return render_template("conflict.html", problem=problem), 409
