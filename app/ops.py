"""Operations endpoints: /healthz, /readyz and /metrics, without credentials."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, current_app, jsonify, request

from app import logs, metrics
from models.access.accesses import admits
from models.store import errors, schema
from models.store.base import database

AWAY = "The store cannot be reached"
log = logging.getLogger(__name__)
blueprint = Blueprint("ops", __name__)


@blueprint.after_request
def forbid_caching(response: Response) -> Response:
    """Forbid caching of the response."""
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/healthz")
def healthy() -> Response:
    """Say that this process answers; nothing else is touched."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def ready() -> tuple[Response, int]:
    """Say whether the store can be reached and has the schema of this version."""
    reason = not_ready()
    if reason:
        return jsonify({"status": "error", "reason": reason}), 503
    return jsonify({"status": "ok"}), 200


@blueprint.get("/metrics")
def show_metrics() -> Response | tuple[Response, int]:
    """Show the metrics of all processes to the addresses that the settings name."""
    if not comes_from(current_app.config["SETTINGS"].metrics_from):
        return jsonify({"status": "error", "reason": "This address may not read metrics"}), 403
    text, content_type = metrics.exposition()
    return Response(text, content_type=content_type)


def comes_from(rules: str) -> bool:
    """Tell whether the request comes from an address of these rules, blanks between them."""
    # Behind a proxy that no setting announces, everybody has the proxy's own address.
    proxies = current_app.config["SETTINGS"].proxy_count
    unannounced = not proxies and "X-Forwarded-For" in request.headers
    address = request.remote_addr or ""
    return not unannounced and any(admits(rule, address) for rule in rules.split())


def not_ready() -> str:
    """Return why this process cannot answer, in a few plain words, or "" when it can."""
    try:
        database.connect(reuse_if_open=True)
        try:
            return schema.mismatch()
        finally:
            database.close()
    except errors.AWAY:
        return AWAY  # not logged: a probe asks every few seconds, and every real request says it
    except Exception as problem:  # noqa: BLE001  # a damaged store fails in ways of its own
        log.error("The store could not be looked at: %s", logs.place(problem))
        return AWAY
