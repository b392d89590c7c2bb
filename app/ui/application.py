"""The Flask application of the pages; no page is named here."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import secrets
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, abort, current_app, render_template, request
from flask_wtf import CSRFProtect
from werkzeug.exceptions import HTTPException

from app import db, logs
from app.ui import formatting, navigation, pages, roles
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
log = logging.getLogger(__name__)


def create_pages(shared: Mapping[str, Any]) -> Flask:
    """Return the application of the pages; `shared` is the configuration of the API's.

    The store is bound already.
    """
    app = Flask(__name__)
    app.config |= {name: shared[name] for name in ("SETTINGS", "LIMITS", "PANEL", "USAGE_LOG")}
    app.config |= {
        "SIGNED_IN": shared.get("SIGNED_IN"),
        "SECRET_KEY": secrets.token_hex(32),
        "MAX_CONTENT_LENGTH": FORM_BYTES,
        "MAX_FORM_MEMORY_SIZE": FORM_BYTES,
        "MAX_FORM_PARTS": FORM_FIELDS,
        "SEND_FILE_MAX_AGE_DEFAULT": STATIC_SECONDS,
        "WTF_CSRF_TIME_LIMIT": None,  # it ends with the session
    }
    app.url_map.merge_slashes = False
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    CSRFProtect(app)
    app.before_request(_begin)
    app.after_request(_end)
    formatting.init_app(app)
    roles.init_app(app)
    navigation.init_app(app)
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
    if len(request.path) > PATH_CHARACTERS:
        abort(404)
    if request.endpoint != "static":
        db.connect()
        expiry.expire_due(clock.today(zone()))


def _end(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"  # whoever logs out leaves nothing behind
        db.release_at_end(response)
    return response


def _of_http(problem: HTTPException) -> tuple[str, int] | HTTPException:
    if problem.code is None or problem.code < 400:
        return problem  # a redirect
    return _shown(problem.code, problem.name, problem.description or "")


def _of_store(problem: PromoError) -> tuple[str, int]:
    fitting = (status for kind, status in STATUSES.items() if isinstance(problem, kind))
    return _shown(next(fitting, 409), "This cannot be done", problem.sentence)


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
    **dict.fromkeys(AWAY, _away),
    Exception: _failed,
}
"""What answers an error of a kind."""
