"""Who may see and do what: every view says which role it needs, one that says none is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, Response, abort, current_app, flash, g, redirect, request, session, url_for

from models.people import sessions
from models.people.sessions import PageSession
from models.people.users import ADMIN, OPERATOR, VIEWER, PageUser
from models.store import audit

__all__ = ["ADMIN", "OPERATOR", "VIEWER", "current_user", "needs", "open_to_all"]
TOKEN = "token"  # noqa: S105  # the name of a field
PAGE = re.compile(r"/ui/[!-\[\]-~]{0,500}")
"""What an address to go on to after a log-in may be: one of these pages."""
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Need:
    """Say what a view needs: a role, None for anybody, and maybe a recent log-in."""

    role: str | None
    fresh: bool = False


def needs(role: str, fresh: bool = False) -> Callable[[View], View]:
    """Let only people with a role use a view; `fresh` asks for a password of some minutes ago."""
    return _marked(Need(role, fresh))


def open_to_all(view: View) -> View:
    """Let anybody use a view, such as the one that logs in."""
    return _marked(Need(None))(view)


def need_of(view: Callable[..., Any]) -> Need | None:
    """Return what a view needs, None where it does not say."""
    return getattr(view, "need", None)


def current_user() -> PageUser | None:
    """Return who is logged in."""
    found: PageUser | None = g.get("user")
    return found


def current_session() -> PageSession:
    """Return the session of whoever is logged in."""
    found: PageSession = g.session
    return found


def log_in(user: PageUser) -> None:
    """Begin a session of a user: nothing of what the cookie said before stays."""
    session.clear()
    session[TOKEN] = sessions.begin(user.id)


def log_out() -> None:
    """End the session."""
    sessions.end(session.get(TOKEN, ""))
    session.clear()


def page_after(text: str) -> str:
    """Return a page to go on to, the first one for anything else."""
    return text if PAGE.fullmatch(text) else f"{request.script_root}/"


def init_app(app: Flask) -> None:
    """Refuse what a person may not do before any view runs."""
    app.before_request(_admit)
    app.context_processor(lambda: {"user": current_user()})


def _admit() -> Any:
    if request.endpoint in (None, "static"):
        return None
    g.user, g.session = _who()
    need = need_of(current_app.view_functions[request.endpoint])
    if need is None:
        abort(403)
    if need.role is None:
        return None
    user = current_user()
    if user is not None:
        audit.ACTOR.set(audit.Actor(audit.USER, user.name, request.remote_addr or ""))
    if user is None:
        return _go_to("log_in.asked", request.full_path if request.method == "GET" else "")
    if not user.may(need.role):
        abort(403, f"This is for people with the role {need.role}; yours is {user.role}.")
    if need.fresh and not current_session().fresh:
        flash("Say your password again: what follows is sensitive.")
        return _go_to("log_in.again", request.full_path if request.method == "GET" else "")
    return None


def _who() -> tuple[PageUser | None, PageSession | None]:
    token = session.get(TOKEN)
    found = sessions.by_token(token) if isinstance(token, str) else None
    user = PageUser.get_or_none(PageUser.id == found.user_id) if found else None
    return (user, found) if user and user.enabled else (None, None)


def _go_to(endpoint: str, following: str) -> Response:
    place = f"{request.script_root}{following.rstrip('?')}"
    arguments: dict[str, Any] = {"next": place} if following and PAGE.fullmatch(place) else {}
    return redirect(url_for(endpoint, **arguments), 303)  # type: ignore[return-value]


def _marked(need: Need) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.need = need  # type: ignore[attr-defined]  # read by need_of
        return view

    return mark
