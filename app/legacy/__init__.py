"""The legacy API, admin/api.php: one dispatcher for all calls, and its envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings


def init_app(app: Flask, settings: Settings) -> None:
    """Register the endpoint in the admin folder and at the root."""
    from app.legacy import dispatcher

    app.url_map.converters["slashes"] = dispatcher.Slashes
    app.register_blueprint(dispatcher.blueprint)
    for rule in dispatcher.rules(settings.admin_path):
        app.add_url_rule(
            rule,
            "legacy.dispatch",
            dispatcher.dispatch,
            methods=dispatcher.METHODS,
            provide_automatic_options=False,
        )
