"""The way of every request of this face: who asks, what is asked, the handler, the envelope."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from time import perf_counter
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from flask import Flask, Response, current_app, request
from marshmallow import Schema, ValidationError

from app import idempotency, metrics
from app.config import Settings
from app.limits import Limits, TooMany
from app.rest import ROOT, bodies, serves
from app.rest.envelope import JSON_TYPE, Failure, failure, success, too_many
from calls import LookupGuard
from models.access import secrets
from models.access.secrets import Secret
from models.promotions.campaign_counts import Owner
from models.store import clock
from models.store.base import database
from models.store.errors import PromoError

CSV_TYPE = "text/csv"
PATH_NAME = re.compile(r"\{([a-zA-Z]+)\}")


class Caller(NamedTuple):
    """Say who asks: the first argument of every handler."""

    secret: Secret
    settings: Settings
    lookup_guard: LookupGuard

    @property
    def owner(self) -> Owner:
        """Return whose data may be seen."""
        return self.secret.owner

    @property
    def today(self) -> date:
        """Return the day in the installation's time zone."""
        return clock.today(ZoneInfo(self.settings.timezone))


@dataclass(frozen=True)
class Answer:
    """Hold what a handler answers; data goes through the route's schema into the envelope."""

    data: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Csv:
    """Hold rows that are answered as CSV; `done` is told whether all of them were sent."""

    name: str
    rows: Iterable[Sequence[Any]]
    done: Callable[[bool], object] = lambda whole: None


@dataclass(frozen=True)
class Route:
    """Describe one method of one path, for the application and for the OpenAPI document.

    `refusals` are the messages, by status, that only this route answers. A `changes` route takes
    an Idempotency-Key.
    """

    method: str
    path: str
    handle: Callable[..., Answer | Csv | Response]
    answer: type[Schema] | None = None
    body: type[Schema] | None = None
    query: type[Schema] | None = None
    status: int = 200
    refusals: Mapping[int, Sequence[str]] = field(default_factory=dict)
    changes: bool = False
    csv: str = ""
    public: bool = False

    @property
    def summary(self) -> str:
        """Return the first sentence of the handler's docstring."""
        return (self.handle.__doc__ or "").strip().split("\n")[0]


def add_routes(app: Flask, routes: Sequence[Route]) -> None:
    """Let the application answer the routes."""
    app.extensions["rest_routes"] = routes
    for route in routes:
        rule = ROOT + PATH_NAME.sub(r"<\1>", route.path)
        app.add_url_rule(
            rule,
            f"rest {route.method} {route.path}",
            _view(route),
            methods=[route.method],
            provide_automatic_options=False,
        )

    @app.before_request
    def open_connection() -> None:
        if serves(request.path):
            database.connect(reuse_if_open=True)

    @app.after_request
    def keep_private(response: Response) -> Response:
        if serves(request.path):
            response.headers.setdefault("Cache-Control", "no-store")
            # A large answer is still read from the store while it is sent.
            response.call_on_close(database.rest)
        return response


def _view(route: Route) -> Callable[..., Response]:
    def view(**names: str) -> Response:
        started = perf_counter()
        try:
            answer = _answered(route, names)
        except Failure as problem:
            answer = failure(problem)
        except PromoError as problem:
            answer = failure(Failure.of(problem))
        except TooMany as problem:
            answer = too_many(problem)
        metrics.routed(route.method, route.path, answer.status_code, perf_counter() - started)
        return answer

    return view


def _answered(route: Route, names: Mapping[str, str]) -> Response:
    if route.public:
        return cast(Response, route.handle())
    caller = _caller()
    sent = bodies.read() if route.body else {}
    arguments = {
        **{_snake(name): value for name, value in names.items()},
        **_loaded(route.query, bodies.query()),
        **_loaded(route.body, sent),
    }
    wants_csv = bool(route.csv) and prefers_csv()

    def run() -> Response:
        answer = route.handle(caller, **arguments)
        if isinstance(answer, Response):
            return answer
        return _csv(answer) if isinstance(answer, Csv) else _json(route, answer)

    if route.changes:
        return idempotency.rest_once(caller.owner, (request.path, wants_csv, sent), run)
    return run()


def prefers_csv() -> bool:
    """Tell whether the client asks for CSV rather than JSON."""
    return request.accept_mimetypes.best_match([JSON_TYPE, CSV_TYPE]) == CSV_TYPE


def _caller() -> Caller:
    """Return who asks. Raises Failure and TooMany."""
    text = request.headers.get("X-API-Secret", "").strip()
    if not text:
        raise Failure(401, "Missing X-API-Secret header", "secret_missing")
    address = request.remote_addr or ""
    limits: Limits = current_app.config["LIMITS"]
    limits.arrive(address)
    secret = secrets.by_text(text)
    if secret is None:
        limits.wrong_credentials(address)
        raise Failure(401, "Invalid API key", "secret_invalid")
    who = f"secret:{secret.id}"
    limits.right_credentials(address, "", who)
    if secret.revoked_at is not None:
        raise Failure(403, "API key has been revoked", "secret_revoked")
    if not secret.active:
        raise Failure(403, "Application is not active", "application_inactive")
    return Caller(secret, current_app.config["SETTINGS"], limits.lookup_guard(who, address))


def _loaded(schema: type[Schema] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return typed fields by their Python names. Raises Failure."""
    if schema is None:
        return {}
    try:
        loaded = schema().load(given)
    except ValidationError as problem:
        raise Failure.invalid(dict(_flat(problem.normalized_messages()))) from None
    return {_snake(name): value for name, value in loaded.items()}


def _flat(messages: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, [str(message) for message in messages]


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def _json(route: Route, answer: Answer) -> Response:
    data = (route.answer or Schema)().dump(answer.data)
    status = route.status if answer.status == 200 else answer.status
    response = Response(success(data), status=status, content_type=JSON_TYPE)
    response.headers.extend(answer.headers)
    return response


def _csv(answer: Csv) -> Response:
    response = Response(_sent(answer), content_type=f"{CSV_TYPE}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{answer.name}.csv"'
    return response


def _sent(answer: Csv) -> Iterator[bytes]:
    whole = False
    try:
        yield from bodies.csv_pieces(answer.rows)
        whole = True
    finally:
        answer.done(whole)
