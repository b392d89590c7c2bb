"""No credential reaches a log or an error page, whatever was sent and whatever is logged."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from app.masking import MASKING, masked
from peewee import SQL

from app.config import Settings
from models.access import accesses
from models.access.accesses import Access, Pair
from tests.serving import Server, request_bytes, served

PAIR = Pair("made-up-id-of-a-shop", "made-up-key.of~a(shop)")
HEX = "69788796a5b4c3d2e1f0"
QUERY = f"api_id={PAIR.api_id}&api_key={PAIR.api_key}"
FORMAT = (
    '%(t)s "%(r)s" %(U)s %(q)s %(f)s %(a)s %(u)s %(m)s %(H)s %(h)s %({x-key}i)s '
    "%({query_string}e)s %({raw_uri}e)s %({content-type}o)s %(s)s"
)
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /admin/api.php?api_key=abc HTTP/1.1", "GET /admin/api.php?… HTTP/1.1"),
        ("b'GET /api.php?x=abc'", "b'GET /api.php?…'"),
        ("why? because", "why? because"),
        ("api_key=abc&call=x", "api_key…&call=x"),
        ("API_ID: abc", "API_ID…"),
        ("api%5Fkey%3Dabc next", "api%5Fkey… next"),
        ("api.key=abc, api key=abc", "api.key…, api key…"),
        ('{"api_key": "abc", "call":"x"}', '{"api_key…", "call":"x"}'),
        (r"{\"api_key\":\"abc\"}", r"{\"api_key…\"}"),
        (r'name="api_key"\r\n\r\nabc\r\n--x', r'name="api_key…\r\n--x'),
        ('name="api_key"\r\n\r\nabc\r\n--x', 'name="api_key…\r\n--x'),
        ("api_key[]=abc", "api_key…"),
        (f"digest of {HEX}.", "digest of …."),
        ("Listening at: http://127.0.0.1:8080 (1)", "Listening at: http://127.0.0.1:8080 (1)"),
    ],
)
def test_what_looks_like_a_credential_is_masked(text: str, left: str) -> None:
    assert masked(text) == left


def test_a_record_names_a_fault_by_kind_and_place() -> None:
    try:
        raise ValueError(PAIR.api_key)
    except ValueError as problem:
        fault = problem
    record = logging.LogRecord(
        "x",
        logging.ERROR,
        __file__,
        1,
        "of %s: %s",
        (f"/api.php?{QUERY}", fault),
        (ValueError, fault, fault.__traceback__),
    )
    assert MASKING.filter(record)
    line = logging.Formatter().format(record)
    assert line.startswith("of /api.php?… ValueError: ValueError at ")
    assert "test_masking.py" in line
    assert "made-up" not in line


def abuse(server: Server) -> list[int]:
    """Send the pair in every way that something might repeat; return the statuses."""
    secret = PAIR.api_key
    part = f'--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n{secret}'
    target = f"/admin/api.php?{QUERY}&call=getHostBillversion"
    answers = [
        server.get(f"{QUERY}&call=getHostBillversion"),
        server.get(f"{QUERY}&call={secret}"),
        server.get(f"{QUERY}&call=listPromoCodes&page={secret}"),
        server.get("", path=f"/admin/api.php&{QUERY}"),
        server.get("", path=f"/admin/api.php%3F{QUERY}"),
        server.get("", path=f"/admin/api.php%0Aapi_key:%20{secret}"),
        server.get(QUERY, f"Referer: http://x/?{QUERY}", f"User-Agent: {secret}"),
        server.get(QUERY, f"X-Key: {secret}", "Authorization: Basic bWFkZS11cC1pZDp4"),
        server.get(QUERY, f"X-Forwarded-For: {secret}"),
        server.post(f"{QUERY}&call=getHostBillversion".encode(), FORM),
        server.post(f'{{"api_key":"{secret}",'.encode(), "application/json"),
        server.post(part.encode(), "multipart/form-data; boundary=b"),
        server.post(b"x" * 9_000_000, FORM, QUERY),
        server.send(request_bytes("PUT", target)),
        # From here on it is no HTTP.
        server.send(f"GET {target}\r\n\r\n".encode()),
        server.send(f"{secret.upper()} {target} HTTP/1.1\r\n\r\n".encode()),
        server.send(f"GET {target} {QUERY}\r\n\r\n".encode()),
        server.send(f"GET http:{target}\n\n".encode()),
        server.send(request_bytes("GET", target, f"api_key {secret}")),
        server.send(request_bytes("GET", target, f"api_key({secret}): x")),
        server.send(request_bytes("GET", target, f"Transfer-Encoding: {secret}")),
        server.send(request_bytes("GET", target, f"Expect: {secret}")),
        server.send(request_bytes("GET", target, f"Content-Length: {secret}")),
        server.send(f"GET {target}&{'a' * 1_100_000} HTTP/1.1\r\n\r\n".encode()),
        server.send(request_bytes("GET", target, *(f"X-{n}: {secret}" for n in range(200)))),
        server.send(
            request_bytes("POST", target, "Transfer-Encoding: chunked") + secret.encode() + b"\r\n",
            half_close=True,
        ),
        server.send(
            request_bytes("POST", target, "Content-Length: 99") + QUERY.encode(), half_close=True
        ),
    ]
    for answer in answers:
        echoed = answer.value["call"] == secret  # the contract: `call` echoes what was asked
        assert echoed or b"made-up" not in answer.body
    return [answer.status for answer in answers]


def test_the_whole_output_of_a_server_holds_no_credential(store: Settings, tmp_path: Path) -> None:
    accesses.add("tests", PAIR)
    arguments = f"--log-level debug --access-logformat '{FORMAT}'"
    with served(tmp_path, GUNICORN_CMD_ARGS=arguments, PROMOBRIDGE_PROXY_COUNT="1") as server:
        statuses = abuse(server)
        half_a_request(server)
        # A fault of ours, as a damaged store makes one.
        Access.update(calls=SQL("name"), name=f"{{{QUERY}").execute()
        assert server.get(f"{QUERY}&call=getHostBillversion").status == 503
        _, rest = server.stop()
    output = server.first_line + rest + server.log()
    assert [status for status in statuses if status >= 500] == [501]
    assert 'HTTP/1.1" /admin/api.php ?… - - - GET HTTP/1.1 127.0.0.1 - - - - 200' in output
    assert output.count("Refused bytes from 127.0.0.1: ") == 11
    assert output.count("Ignored premature client disconnection. NoMoreData") >= 1
    assert "A request failed: JSONDecodeError at " in output
    for secret in ("made-up", PAIR.api_key, PAIR.api_id, PAIR.api_key.upper(), "bWFkZ"):
        assert secret not in output, [line for line in output.split("\n") if secret in line]


def half_a_request(server: Server) -> None:
    """Send half a request line and go; return when the server has noticed."""
    with pytest.raises(ConnectionError, match="closed connection without response"):
        server.send(f"GET /api.php?{QUERY}".encode(), half_close=True)


def test_a_usual_access_line_is_short_and_readable(store: Settings, tmp_path: Path) -> None:
    accesses.add("tests", PAIR)
    with served(tmp_path) as server:
        server.get(f"{QUERY}&call=getHostBillversion", f"Referer: {PAIR.api_key}")
        server.stop()
    (line,) = (line for line in server.log().split("\n") if '"GET ' in line)
    when, rest = line[:28], line[28:]
    assert when.startswith("[")
    assert when.endswith("]")
    assert rest.startswith(' 127.0.0.1 "GET /admin/api.php?… HTTP/1.1" 200 ')
    assert re.search(r" \d+ms [0-9a-f]{12}-[0-9a-f]+$", rest)
