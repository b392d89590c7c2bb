"""What a request asks for: the call or endpoint, and its arguments without credentials."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from app.config import Settings
from app.double import json_text
from app.rest import envelope
from calls import php
from models.access.accesses import Pair

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

RPC, REST, OTHER = "rpc", "rest", "other"
CREDENTIALS = ("api_id", "api_key")
_SLASHES = re.compile("/+")
_VARIABLE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


class Asked(NamedTuple):
    """Hold what a request asks for.

    `call` is the name of a legacy call, or method and path of the REST API with the names of what
    varies in it (POST /v1/campaigns/{slug}/redeem). `is_admitted` says that a legacy call came
    whole and with the credentials of the double.
    """

    face: str
    call: str
    method: str
    path: str
    arguments: Mapping[str, Any]
    is_admitted: bool = False

    def is_of(self, call: str | None) -> bool:
        """Tell whether a name means this call, without regard to case; None means any."""
        return call is None or call.lower() == self.call.lower()


def read(environ: WSGIEnvironment, app: Flask, settings: Settings, pair: Pair) -> Asked:
    """Return what a request asks for, whose body can be read again."""
    body, is_whole = _body(environ, settings.body_limit_bytes)
    path = _SLASHES.sub("/", environ["PATH_INFO"])
    if path in (f"{settings.admin_path}/api.php", "/api.php"):
        query = environ.get("QUERY_STRING", "").encode("latin-1")
        given = _tried(lambda: php.arguments(query, environ.get("CONTENT_TYPE", ""), body))
        name = given.get("call")
        call, method = name if isinstance(name, str) else "", environ["REQUEST_METHOD"]
        own = _own(given, ("call", *CREDENTIALS))
        is_admitted = is_whole and method in ("GET", "POST") and _is(pair, given)
        return Asked(RPC, call, method, path, own, is_admitted)
    request = Request(environ)
    if not envelope.serves(request.path):
        return Asked(OTHER, f"{request.method} {request.path}", request.method, request.path, {})
    found = _tried(lambda: json_text.read(body))
    sent = dict(request.args) | (found if isinstance(found, dict) else {})
    return Asked(REST, _endpoint(request, app), request.method, request.path, _own(sent, ()))


def endpoint_name(method: str, rule: str) -> str:
    """Return method and path of a rule as callers know them."""
    return method + " " + _VARIABLE.sub(lambda found: "{" + found[1] + "}", rule)


def _endpoint(request: Request, app: Flask) -> str:
    adapter = app.url_map.bind("")
    try:
        rule, _ = adapter.match(request.path, request.method, return_rule=True)
    except HTTPException:
        return f"{request.method} {request.path}"
    return endpoint_name(request.method, rule.rule)


def _body(environ: WSGIEnvironment, most: int) -> tuple[bytes, bool]:
    """Return the body, left to be read once more, and whether it is whole.

    What is not whole, or longer than `most`, is left so that the application refuses it.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if not environ.get("wsgi.input_terminated") and not length.isdecimal():
        return b"", True
    if length.isdecimal() and int(length) > most:
        return b"", False
    wanted = int(length) if length.isdecimal() else most + 1
    try:
        body: bytes = environ["wsgi.input"].read(wanted)
    except (OSError, ParseException):  # what gunicorn has for broken chunks
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"], environ["wsgi.input"] = "1", BytesIO()
        return b"", False
    # The length stays as it was declared: by it the application finds what was cut off.
    environ["wsgi.input"] = BytesIO(body)
    return body, len(body) == wanted if length.isdecimal() else len(body) <= most


def _is(pair: Pair, given: Mapping[Any, Any]) -> bool:
    """Tell whether arguments hold a pair."""
    sent = "\0".join(str(given.get(name, "")) for name in CREDENTIALS)
    known = f"{pair.api_id}\0{pair.api_key}"
    return hmac.compare_digest(sent.encode(errors="replace"), known.encode())


def _own(given: Mapping[Any, Any], without: tuple[str, ...]) -> dict[str, Any]:
    return {str(name): value for name, value in given.items() if name not in without}


def _tried(read: Callable[[], Any]) -> Any:
    """Return what can be read, {} where nothing can."""
    try:
        return read()
    except (ValueError, php.InvalidRequest):
        return {}
