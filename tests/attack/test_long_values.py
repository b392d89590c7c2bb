"""Nothing that a client sends is kept because it is long: no cache, no log, no count holds it.

What malloc has handed out and not got back is counted, not the memory of the process: that is the
same in every run, whatever goes back to the system. One value of each request, if it were kept,
would be 15 MB. (tracemalloc would tell the same, but makes a request take four times as long.)
"""

from __future__ import annotations

import ctypes
import gc
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from app.config import Settings
from models.access import secrets
from models.campaigns import campaigns
from tests.app.rest.conftest import LIVE, SLUG
from tests.credentials import CREDENTIALS

WARM, REQUESTS = 100, 1000
LONG = 15_000
MOST_BYTES = 10_000_000
NEVER = 100_000
MALLINFO = getattr(ctypes.CDLL(None), "mallinfo2", None)
pytestmark = pytest.mark.skipif(MALLINFO is None, reason="only glibc tells what malloc gave")
TEXT = "{}"
"""Stands for the long value, which is made of hexadecimal digits."""
REDEEM = CREDENTIALS | {"call": "redeemPromoCode", "code": "X", "amount": "1"}
FIELDS = {
    "api_id": CREDENTIALS | {"api_id": TEXT, "call": "listPromoCodes", "page": TEXT},
    "api_key": CREDENTIALS | {"api_key": TEXT, "call": "listPromoCodes"},
    "call": CREDENTIALS | {"call": TEXT},
    "a value": CREDENTIALS | {"call": "getPromoDetailsByCode", "code": TEXT},
    "a name": REDEEM | {TEXT: "1"},
    "a key": REDEEM | {"idempotency_key": TEXT},
}
FORM, PARTS, JSON = (
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "application/json",
)


def urlencoded(fields: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in fields.items())


def multipart(fields: dict[str, str]) -> str:
    parts = (
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return "".join(parts) + "--b--\r\n"


def filled(template: dict[str, str], text: str) -> dict[str, str]:
    return {name.replace(TEXT, text): part.replace(TEXT, text) for name, part in template.items()}


Send = Callable[..., str]
Growth = Callable[[Callable[[str], str]], int]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Let the usage log keep in memory what it is given."""
    return replace(settings, usage_log_seconds=NEVER)


@pytest.fixture
def send(app: Flask) -> Send:
    """Return a function that sends a request and returns the status; it quotes nothing."""

    def send(
        path: str,
        query: str = "",
        body: str = "",
        content_type: str = "",
        method: str = "",
        **more: str,
    ) -> str:
        statuses: list[str] = []
        raw = body.encode()
        environ = {
            "REQUEST_METHOD": method or ("POST" if body else "GET"),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(raw)),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "203.0.113.7",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            **more,
        }
        answer = app(environ, lambda status, headers: statuses.append(status))
        for _ in answer:
            pass
        answer.close()  # type: ignore[attr-defined]  # Werkzeug's has it
        return statuses[0]

    return send


class MallInfo(ctypes.Structure):
    """What malloc tells; `uordblks` are the bytes in use of all threads' areas."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def in_use() -> int:
    """Return the bytes that malloc has given to this process."""
    assert MALLINFO is not None
    MALLINFO.restype = MallInfo
    told = MALLINFO()
    return int(told.uordblks + told.hblkhd)


def test_what_is_kept_is_counted() -> None:
    before = in_use()
    kept = [f"{number:0{LONG}x}" for number in range(REQUESTS)]
    assert in_use() - before >= len(kept) * LONG > MOST_BYTES


@pytest.fixture
def growth() -> Growth:
    """Return a function that counts the bytes that long values leave behind after short ones."""

    def kept(request: Callable[[str], str], count: int, size: int) -> int:
        for number in range(count):
            assert request(f"{number:0{size}x}")[:1] in "24"
        gc.collect()
        return in_use()

    return lambda request: -kept(request, WARM, 8) + kept(request, REQUESTS, LONG)


@pytest.mark.parametrize("field", FIELDS)
def test_long_arguments_in_a_query_are_not_kept(growth: Growth, send: Send, field: str) -> None:
    fields = FIELDS[field]
    assert growth(lambda text: send("/api.php", urlencoded(filled(fields, text)))) < MOST_BYTES


@pytest.mark.parametrize("field", ["api_id", "a name"])
@pytest.mark.parametrize(
    ("written", "content_type"), [(urlencoded, FORM), (multipart, PARTS), (json.dumps, JSON)]
)
def test_long_arguments_in_a_body_are_not_kept(
    growth: Growth,
    send: Send,
    written: Callable[[dict[str, str]], str],
    content_type: str,
    field: str,
) -> None:
    def request(text: str) -> str:
        return send("/api.php", "", written(filled(FIELDS[field], text)), content_type)

    assert growth(request) < MOST_BYTES


@pytest.mark.parametrize("secret", [TEXT, f"sk_live_{TEXT}"])
def test_long_secrets_are_not_kept(growth: Growth, send: Send, secret: str) -> None:
    def request(text: str) -> str:
        sent = secret.replace(TEXT, text)
        return send("/v1/campaigns/codes/stats", HTTP_X_API_SECRET=sent, HTTP_X_REQUEST_ID=text)

    assert growth(request) < MOST_BYTES


@pytest.mark.parametrize("place", ["query", "body", "path", "Idempotency-Key"])
def test_long_values_of_the_rest_api_are_not_kept(growth: Growth, send: Send, place: str) -> None:
    campaigns.add(LIVE, SLUG, "Summer")
    _, secret = secrets.add(LIVE)

    def request(text: str) -> str:
        sent = {"HTTP_X_API_SECRET": secret}
        use = json.dumps({"userId": "7", "code": "X"})
        if place == "query":
            return send("/v1/campaigns/codes/stats", f"slug={text}&{text}=1", **sent)
        if place == "body":
            body = json.dumps({"code": text, text: text})
            return send("/v1/campaigns/codes/verify", "", body, JSON, **sent)
        if place == "path":
            return send(f"/v1/campaigns/{text}/redeem", "", use, JSON, **sent)
        sent["HTTP_IDEMPOTENCY_KEY"] = text
        return send(f"/v1/campaigns/{SLUG}/redeem", "", use, JSON, **sent)

    assert growth(request) < MOST_BYTES


@pytest.mark.parametrize("path", [f"/healthz/{TEXT}", f"/admin/api.php/{TEXT}", "/healthz"])
def test_long_paths_and_queries_are_not_kept(growth: Growth, send: Send, path: str) -> None:
    assert growth(lambda text: send(path.replace(TEXT, text), text)) < MOST_BYTES


def test_long_addresses_are_not_kept(growth: Growth, send: Send) -> None:
    query = urlencoded(CREDENTIALS | {"api_key": "wrong"})
    assert growth(lambda text: send("/api.php", query, REMOTE_ADDR=text)) < MOST_BYTES


def test_what_is_too_long_is_refused_as_what_does_not_exist(app: Flask) -> None:
    client = app.test_client()

    def refusal(**arguments: str) -> tuple[str, list[str]]:
        answer = client.get("/api.php", query_string=CREDENTIALS | arguments).get_json()
        return answer["call"], answer["error"]

    known, wrong_pair = "getHostBillversion", ["Wrong API ID or API Key"]
    assert refusal(api_id="i" * 129, call=known) == (known, wrong_pair)
    assert refusal(api_key="k" * 129, call=known) == (known, wrong_pair)
    unsupported = ["Called method is not supported"]
    assert refusal(call="c" * 64) == ("c" * 64, unsupported)
    assert refusal(call="\x01" * 65) == ("", unsupported)
    assert refusal(call="c" * 65, api_id="i" * 129, api_key="wrong") == ("", unsupported)
    assert app.config["LIMITS"]._counter._counts == {}  # it was refused before it was counted
