"""Control of a double under /_double/: for the tests that drive it, and nobody else."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from werkzeug.exceptions import HTTPException

import calls
from app.config import BadSetting
from app.double import json_text, seed
from app.double.asked import endpoint_name
from app.double.faults import FaultFields, Number
from app.double.state import Double
from app.double.stubs import Stub
from models.store.errors import Invalid

ROOT = "/_double"
BODY_BYTES = 67_108_864
LOOPBACK = ("127.0.0.0/8", "::1/128")
HOSTS = ("127.0.0.1", "localhost", "::1")
NOT_PUBLIC = (".internal", ".local", ".localhost", ".test")
"""The ends of names that nobody can register, so that no page can come by one of them."""
LATEST = 253_402_300_799
"""The last second of the year 9999."""


class ClockFields(Schema):
    """Read what becomes of the clock."""

    frozen = fields.Raw()
    advance = Number()
    real = fields.Boolean(validate=validate.Equal(True))

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        """Require one of them."""
        if len(data) != 1:
            raise ValidationError("One of frozen, advance, real is needed")


class StubFields(Schema):
    """Read a stub that is set at run time."""

    call = fields.String(required=True, validate=validate.Length(1, 64))
    match = fields.Dict(keys=fields.String(), load_default=dict, validate=validate.Length(max=100))
    answers = fields.List(fields.Dict(), required=True, validate=validate.Length(1, 1000))


class RestoreFields(Schema):
    """Read which snapshot is meant."""

    snapshot = fields.String(required=True, validate=validate.Length(1, 20))


def moment(value: Any) -> float:
    """Return a time as Unix seconds: a number, or ISO 8601, in UTC where it names no zone.

    Raises BadSetting.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    else:
        try:
            told = datetime.fromisoformat(str(value))
        except ValueError:
            found = math.nan
        else:
            found = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    if not 0 <= found <= LATEST:
        raise BadSetting(f"{str(value)[:40]!r} is no time: 2026-12-31T10:00:00Z, or Unix seconds")
    return found


def make(double: Double, control_from: Sequence[str] = ()) -> Flask:
    """Return the WSGI application of the control API."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    beyond = [ip_network(each) for each in control_from]
    app.before_request(lambda: _refused(beyond))
    app.register_error_handler(BadSetting, lambda problem: _failure(str(problem), 400))
    app.register_error_handler(Invalid, lambda problem: _failure(problem.sentence, 400))
    app.register_error_handler(ValidationError, _wrong)
    app.register_error_handler(HTTPException, _http)
    _add_store(app, double)
    _add_clock(app, double)
    _add_faults(app, double)
    _add_stubs(app, double)
    _add_journal(app, double)
    return app


def _add_store(app: Flask, double: Double) -> None:
    @app.get(f"{ROOT}/ready")
    def ready() -> Any:
        return jsonify(ready=True, api_id=double.credentials.pair.api_id)

    @app.post(f"{ROOT}/reset")
    def reset() -> Any:
        double.reset()
        return "", 204

    @app.post(f"{ROOT}/seed")
    def sow() -> Any:
        double.sow(seed.checked(_body()))
        return "", 204

    @app.delete(f"{ROOT}/seed")
    def unsow() -> Any:
        double.reset(to_start=True)
        return "", 204

    @app.post(f"{ROOT}/snapshot")
    def snapshot() -> Any:
        return jsonify(snapshot=double.snapshot())

    @app.post(f"{ROOT}/restore")
    def restore() -> Any:
        double.restore(RestoreFields().load(_body())["snapshot"])
        return "", 204


def _add_clock(app: Flask, double: Double) -> None:
    def told() -> Any:
        now = datetime.fromtimestamp(double.clock.time(), UTC)
        text = now.isoformat().replace("+00:00", "Z")
        return jsonify(now=text, frozen=double.clock.frozen is not None)

    @app.get(f"{ROOT}/clock")
    def show_clock() -> Any:
        return told()

    @app.put(f"{ROOT}/clock")
    def set_clock() -> Any:
        given = ClockFields().load(_body())
        with double.new_time():  # counts and lockouts go by the machine's own clock
            if "frozen" in given:
                double.clock.freeze(moment(given["frozen"]))
            elif "advance" in given:
                moment(double.clock.time() + given["advance"])  # refused before it is set
                double.clock.advance(given["advance"])
            else:
                double.clock.set_real()
        return told()


def _add_faults(app: Flask, double: Double) -> None:
    @app.put(f"{ROOT}/faults")
    def put_fault() -> Any:
        given = FaultFields().load(_body())
        if "call" in given:
            _require_known(given["call"], double)
        double.faults.put(given)
        return "", 204

    @app.delete(f"{ROOT}/faults")
    def delete_faults() -> Any:
        double.faults.delete(_query("call").get("call"))
        return "", 204


def _add_stubs(app: Flask, double: Double) -> None:
    @app.put(f"{ROOT}/stubs")
    def put_stub() -> Any:
        given = StubFields().load(_body())
        double.stubs.put(Stub(given["call"], given["answers"], given["match"]))
        return "", 204

    @app.delete(f"{ROOT}/stubs")
    def delete_stubs() -> Any:
        double.stubs.delete(_query("call").get("call"))
        return "", 204


def _add_journal(app: Flask, double: Double) -> None:
    @app.get(f"{ROOT}/requests")
    def requests() -> Any:
        given = _query("call", "count")
        if "count" in given:
            return jsonify(count=double.journal.count(given.get("call")))
        return jsonify(requests=double.journal.entries(given.get("call")))

    @app.delete(f"{ROOT}/requests")
    def forget_requests() -> Any:
        _query()
        double.journal.clear()
        return "", 204


def _require_known(call: str, double: Double) -> None:
    rules = (rule for rule in double.app.url_map.iter_rules() if rule.rule.startswith("/v1/"))
    endpoints = [
        endpoint_name(method, rule.rule) for rule in rules for method in rule.methods or ()
    ]
    names = [*calls.registry(), *double.stubs.names(), *endpoints]
    known = {name.lower(): name for name in names}
    if call.lower() not in known and double.stubs.memory.required(call) is None:
        near = get_close_matches(call.lower(), known, 1)
        hint = f" Did you mean {known[near[0]]}?" if near else " Set a stub for it first."
        raise Invalid(f"There is no call {call[:64]} here.{hint}")


def _query(*names: str) -> Mapping[str, str]:
    """Return the query, which may have these names alone. Raises BadSetting."""
    for name in request.args:
        if name not in names:
            raise BadSetting(f"{name[:64]} is not read here; only {', '.join(names) or 'nothing'}")
    return request.args


def _body() -> Any:
    """Return the JSON object of the request. Raises BadSetting."""
    try:
        found = json_text.read(request.get_data())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadSetting("The body must be a JSON object, and not go too deep")
    return found


def _refused(beyond: Sequence[Any]) -> Response | None:
    """Refuse pages of browsers, and who is not of this machine or of the networks given."""
    if "Origin" in request.headers:
        return _failure("Control is not for pages: there is an Origin", 403)
    address = ip_address((request.remote_addr or "0.0.0.0").partition("%")[0])  # noqa: S104  # none
    is_beyond = any(address in network for network in beyond)
    if not (is_beyond or any(address in ip_network(network) for network in LOOPBACK)):
        return _failure("Control is for this machine: start with --control-from NETWORK", 403)
    if _is_foreign(request.host, is_beyond):
        return _failure(f"Control is not for the Host {request.host[:64]}: use an address", 403)
    return None


def _is_foreign(host: str, is_beyond: bool) -> bool:
    """Tell whether a page of anybody's may have come by this name to a double."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return True
    if name in HOSTS or not is_beyond:
        return name not in HOSTS
    try:
        ip_address(name)
    except ValueError:
        return not name or ("." in name and not name.endswith(NOT_PUBLIC))
    return False


def _wrong(problem: ValidationError) -> Response:
    reasons = [
        f"{name}: {text}" if name != "_schema" else str(text)
        for name, texts in problem.normalized_messages().items()
        for text in (texts if isinstance(texts, list) else [json.dumps(texts)])
    ]
    return _failure("; ".join(reasons), 400)


def _http(problem: HTTPException) -> Response:
    return _failure(problem.description or problem.name, problem.code or 500)


def _failure(sentence: str, status: int) -> Response:
    response = jsonify(error=sentence)
    response.status_code = status
    return response
