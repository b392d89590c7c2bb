"""The Flask application, which serves both APIs; no call is named here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from flask import Flask, Request, Response
    from flask.sessions import SessionInterface
    from werkzeug.routing import MapAdapter

    from app.config import Settings

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),  # JSON with a customer's text in it is no page
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Frame-Options", "DENY"),  # the same for browsers that do not know frame-ancestors
    ("Referrer-Policy", "no-referrer"),  # credentials travel in query strings
    ("Cache-Control", "private, no-cache"),  # nobody but the client keeps it; an ETag still works
)
"""On every answer that does not say otherwise."""
REQUEST_ID = "X-Request-Id"
PATH_CHARACTERS = 2048
"""The longest path; what is longer has no route."""


def create_app(settings: Settings | None = None, has_rest: bool = True) -> Flask:
    """Return the WSGI application; without the REST API it starts sooner.

    Raises BadSetting for settings of no use and SchemaMismatch for a database of another version.
    """
    # Imported here: the command line starts without Flask where it does not need it.
    from app import config, db, errors, logs, metrics, ops, redis_counter, rest
    from app.legacy import dispatcher
    from app.limits import Limits
    from app.proxy import ForwardedFor
    from app.usage_log import UsageLog
    from calls.rendering.batch_json import FragmentCache

    settings = settings or config.from_environment()
    logs.configure(settings)
    app = _application()(__name__, static_folder=None)
    app.session_interface = _no_sessions()
    app.url_map.merge_slashes = False  # a redirect is no answer that integrations know
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # refused like all that has no route
    app.config["SETTINGS"] = settings
    app.config["FRAGMENTS"] = FragmentCache(
        settings.fragment_cache_bytes,
        count_hits=metrics.HITS.inc,
        count_misses=metrics.MISSES.inc,
        show_bytes=metrics.CACHE_BYTES.set,
    )
    app.config["USAGE_LOG"] = UsageLog(settings)
    _stand_in_front(app, settings)
    app.config["LIMITS"] = Limits(settings, redis_counter.counter(settings.limits_url))
    db.init_app(app, settings)
    errors.init_app(app)
    _name_requests(app, trusts_proxy=settings.proxy_count > 0)
    app.register_blueprint(ops.blueprint)
    dispatcher.init_app(app, settings.admin_path)
    if has_rest:
        rest.init_app(app)
        _put_pages_beside(app, settings)
    if settings.proxy_count:
        app.wsgi_app = ForwardedFor(  # type: ignore[method-assign]  # as above
            app.wsgi_app, settings.proxy_count
        )
    return app


def _put_pages_beside(app: Flask, settings: Settings) -> None:
    """Answer paths under /ui by an application of their own."""
    from app.ui.mounting import Pages

    def make() -> Flask:
        from app.ui.application import create_pages

        return create_pages(
            app.config, lambda made: _name_requests(made, trusts_proxy=settings.proxy_count > 0)
        )

    pages, api = Pages(make), app.wsgi_app

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_page = f"{environ['PATH_INFO']}/".startswith("/ui/")
        return (pages if is_page else api)(environ, start_response)

    app.wsgi_app = serve  # type: ignore[method-assign]  # Flask's documented way


def _stand_in_front(app: Flask, settings: Settings) -> None:
    """Know the panel of the settings; without one, nothing that speaks to it need be loaded."""
    app.config["PANEL"] = None
    if settings.panel_url:
        from app.panel.client import Panel
        from app.panel.routing import Routes
        from app.panel.shadow import Shadow

        app.config |= {"PANEL": Panel(settings), "ROUTES": Routes(), "SHADOW": Shadow()}


def _application() -> type[Flask]:
    """Return Flask's application that looks for no route of a path that is too long."""
    from flask import Flask
    from werkzeug.exceptions import NotFound

    class Application(Flask):
        def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
            if request is not None and len(request.path) > PATH_CHARACTERS:
                raise NotFound
            return super().create_url_adapter(request)

    return Application


def _name_requests(app: Flask, trusts_proxy: bool) -> None:
    """Give each request an id; set the common headers of its response and count it."""
    from flask import g, request

    from app import logs, metrics
    from models.store import clock

    @app.before_request
    def begin() -> None:
        sent = request.headers.get(REQUEST_ID, "") if trusts_proxy else ""
        g.request_id = sent if sent and logs.is_request_id(sent) else clock.random_name()
        if request.url_rule is not None:
            request.environ[logs.ROUTE] = request.url_rule.endpoint

    @app.after_request
    def end(response: Response) -> Response:
        metrics.ANSWERS.labels(str(response.status_code)).inc()
        given = {name.title() for name, _ in response.headers}
        response.headers.extend(header for header in HEADERS if header[0].title() not in given)
        response.headers[REQUEST_ID] = g.request_id
        return response


def _no_sessions() -> SessionInterface:
    """Return a session interface that opens none: it halves Flask's work for a request."""
    from flask.sessions import NullSession, SessionInterface

    class NoSessions(SessionInterface):
        def open_session(self, app: object, request: object) -> NullSession:
            return NullSession()

    return NoSessions()
