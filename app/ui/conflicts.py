"""Refuse a change of a row that somebody else has changed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import Flask, render_template


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


def init_app(app: Flask) -> None:
    """Answer conflicts with both versions side by side."""
    app.register_error_handler(Conflicted, _shown)


def _shown(problem: Conflicted) -> tuple[str, int]:
    return render_template("conflict.html", problem=problem), 409
