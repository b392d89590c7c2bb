"""Flask around the store and its dialects: this package knows HTTP and names no call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from flask import Flask

    from app.config import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application.

    Raises BadSetting for settings of no use and SchemaMismatch for a database of another version.
    """
    # Imported here: the command line starts without Flask where it does not need it.
    from flask import Flask
    from werkzeug.exceptions import HTTPException

    from app import config, db, metrics, rest, rpc
    from app.faces import by_face
    from app.forwarded import ForwardedFor
    from app.headers import SecurityHeaders
    from app.limits import Limits, TooMany
    from app.operations import Operations
    from app.request_ids import RequestIds
    from app.usage_log import UsageLog
    from calls.fragments import Fragments
    from models.errors import AWAY

    settings = settings or config.from_environment()
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # a redirect is no answer that integrations know
    app.config["SETTINGS"] = settings
    app.config["FRAGMENTS"] = Fragments(settings.fragment_cache_bytes)
    app.config["USAGE_LOG"] = UsageLog(settings)
    app.config["LIMITS"] = Limits(settings)
    metrics.watch(app.config["FRAGMENTS"], app.config["USAGE_LOG"])
    app.config["MAX_CONTENT_LENGTH"] = settings.body_limit_bytes
    db.init_app(app, settings)
    rest.init_app(app)
    app.register_error_handler(HTTPException, by_face("http_failure"))
    for away in AWAY:
        app.register_error_handler(away, by_face("store_away"))
    app.register_error_handler(TooMany, by_face("too_many"))
    app.register_error_handler(Exception, by_face("broken"))
    outermost: WSGIApplication = rpc.Endpoint(
        app.wsgi_app, settings, *(app.config[name] for name in ("FRAGMENTS", "USAGE_LOG", "LIMITS"))
    )
    outermost = SecurityHeaders(Operations(outermost, settings))
    if settings.proxy_count:
        outermost = ForwardedFor(outermost, settings.proxy_count)
    outermost = RequestIds(outermost, settings.proxy_count)
    app.wsgi_app = outermost  # type: ignore[method-assign]  # Flask's documented way
    return app
