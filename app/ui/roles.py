"""Who may see and do what: every view says which role it needs, one that says none is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, abort, current_app, g, request

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
RANKS = {VIEWER: 0, OPERATOR: 1, ADMIN: 2}
"""Each role may do what those before it may."""
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class User:
    """Describe the person who is logged in."""

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Tell whether this person may do what a role may."""
        return RANKS[self.role] >= RANKS[role]


@dataclass(frozen=True)
class Need:
    """Say what a view needs: a role, None for anybody, and maybe a recent log-in."""

    role: str | None
    fresh: bool = False


def needs(role: str, fresh: bool = False) -> Callable[[View], View]:
    """Let only people with a role use a view; `fresh` asks for a log-in of some minutes ago."""
    return _marked(Need(role, fresh))


def open_to_all(view: View) -> View:
    """Let anybody use a view, such as the one that logs in."""
    return _marked(Need(None))(view)


def need_of(view: Callable[..., Any]) -> Need | None:
    """Return what a view needs, None where it does not say."""
    return getattr(view, "need", None)


def current_user() -> User | None:
    """Return who is logged in."""
    found: User | None = g.get("user")
    return found


def init_app(app: Flask) -> None:
    """Refuse what a person may not do before any view runs."""
    app.before_request(_admit)
    app.context_processor(lambda: {"user": current_user()})


def _admit() -> None:
    if request.endpoint in (None, "static"):
        return
    # Until people can log in, a test says who does.
    g.user = current_app.config.get("SIGNED_IN")
    need = need_of(current_app.view_functions[request.endpoint])
    if need is None:
        abort(403)
    if need.role is None:
        return
    user = current_user()
    if user is None:
        abort(401)
    if not user.may(need.role):
        abort(403, f"This page is for people with the role {need.role}.")


def _marked(need: Need) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.need = need  # type: ignore[attr-defined]  # read by need_of
        return view

    return mark
