"""The Flask application of the pages; no page is named here."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, abort, current_app, render_template, request
from flask_wtf import CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.routing import IntegerConverter

from app import db, logs, ops
from app.limits import TooMany
from app.ui import conflicts, cookies, formatting, navigation, pages, roles
from models.people import users
from models.people.passwords import Crowded
from models.promotions import expiry
from models.store import clock
from models.store.errors import AWAY, Conflict, Invalid, NotFound, PromoError

POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
PATH_CHARACTERS = 512
STATIC_SECONDS = 3600
FORM_BYTES = 1_310_720
"""The largest form: a list of codes to stop, with the names of its fields."""
FORM_FIELDS = 500
STATUSES: Mapping[type[PromoError], int] = {NotFound: 404, Conflict: 409, Invalid: 400}
SHARED = ("SETTINGS", "LIMITS", "PANEL", "USAGE_LOG", "FRAGMENTS")
log = logging.getLogger(__name__)


class Ids(IntegerConverter):
    """Read ids in addresses; a number that no store can hold is the id of nothing."""

    regex = r"\d{1,18}"


def create_pages(shared: Mapping[str, Any], prepare: Callable[[Flask], None]) -> Flask:
    """Return the application of the pages; `shared` is the configuration of the API's.

    The store is bound already; `prepare` is what every application of ours begins with.
    """
    app = Flask(__name__)
    prepare(app)
    app.config |= {name: shared[name] for name in SHARED}
    app.config |= {
        "HAS_USERS": False,
        "MAX_CONTENT_LENGTH": FORM_BYTES,
        "MAX_FORM_MEMORY_SIZE": FORM_BYTES,
        "MAX_FORM_PARTS": FORM_FIELDS,
        "SEND_FILE_MAX_AGE_DEFAULT": STATIC_SECONDS,
    }
    app.url_map.merge_slashes = False
    app.url_map.converters["int"] = Ids
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    cookies.init_app(app, shared["SETTINGS"])
    # Before the token is looked at: who has not logged in is sent to do so.
    app.before_request(_begin)
    app.after_request(_end)
    formatting.init_app(app)
    roles.init_app(app)
    CSRFProtect(app)
    navigation.init_app(app)
    conflicts.init_app(app)
    app.jinja_env.globals["has_oidc"] = bool(shared["SETTINGS"].oidc_issuer)
    for kind, answer in HANDLERS.items():
        app.register_error_handler(kind, answer)
    for module in pkgutil.iter_modules(pages.__path__):
        page = importlib.import_module(f"{pages.__name__}.{module.name}")
        app.register_blueprint(page.blueprint)
    return app


def zone() -> tzinfo:
    """Return the time zone of the installation."""
    return ZoneInfo(current_app.config["SETTINGS"].timezone)


def _begin() -> None:
    settings = current_app.config["SETTINGS"]
    if len(request.path) > PATH_CHARACTERS or not ops.comes_from(settings.ui_from):
        abort(404)
    db.connect()
    # A user is disabled and never deleted, so this need not be asked again.
    known = current_app.config["HAS_USERS"] = current_app.config["HAS_USERS"] or users.exist()
    if not known:
        abort(404)
    if request.endpoint != "static":
        expiry.expire_due(clock.today(zone()))


def _end(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"  # whoever logs out leaves nothing behind
    return db.release_at_end(response)


def _of_http(problem: HTTPException) -> tuple[str, int] | HTTPException:
    if problem.code is None or problem.code < 400:
        return problem  # a redirect
    return _shown(problem.code, problem.name, problem.description or "")


def _of_store(problem: PromoError) -> tuple[str, int]:
    fitting = (status for kind, status in STATUSES.items() if isinstance(problem, kind))
    return _shown(next(fitting, 409), "This cannot be done", problem.sentence)


def _too_many(problem: TooMany) -> tuple[str, int, dict[str, str]]:
    page, status = _shown(429, "Too many wrong tries", f"Try again in {problem.seconds} seconds.")
    return page, status, {"Retry-After": str(problem.seconds)}


def _crowded(problem: Crowded) -> tuple[str, int, dict[str, str]]:
    page, status = _shown(503, "Many log in at this moment", "Try again in a few seconds.")
    return page, status, {"Retry-After": "5"}


def _away(problem: Exception) -> tuple[str, int]:
    log.error("A page found the store away: %s", logs.place(problem))
    return _shown(503, "The store cannot be reached", "Try again in a moment.")


def _failed(problem: Exception) -> tuple[str, int]:
    log.error("A page failed: %s", logs.place(problem))
    return _shown(500, "Something went wrong here", "It has been logged; try again.")


def _shown(status: int, title: str, sentence: str) -> tuple[str, int]:
    return render_template("error.html", title=title, sentence=sentence), status


HANDLERS: dict[type[Exception], Any] = {
    HTTPException: _of_http,
    PromoError: _of_store,
    Crowded: _crowded,
    TooMany: _too_many,
    **dict.fromkeys(AWAY, _away),
    Exception: _failed,
}
"""What answers an error of a kind."""
