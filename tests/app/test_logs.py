"""Logs: no credential reaches a line, every line of a request names it, and JSON is JSON."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from peewee import SQL, Value

from app import create_app, logs
from app.config import BadSetting, Settings, from_environment
from app.logs import Mask, masked
from models.access import accesses
from models.access.accesses import Access, Pair
from models.store.base import database
from tests.granian_server import granian
from tests.serving import ROOT, Server, environment, request_bytes, served

PAIR = Pair("made-up-id-of-a-shop", "made-up-key.of~a(shop)")
HEX = "69788796a5b4c3d2e1f0"
QUERY = f"api_id={PAIR.api_id}&api_key={PAIR.api_key}"
FORMAT = (
    '%(t)s "%(r)s" %(U)s %(q)s %(f)s %(a)s %(u)s %(m)s %(H)s %(h)s %({x-key}i)s '
    "%({query_string}e)s %({raw_uri}e)s %({content-type}o)s %(s)s"
)
FORM = "application/x-www-form-urlencoded"
HEADER = "X-Request-Id"
GIVEN = "0af7651916cd43dd8448eb211c80319c"
OURS = re.compile(r"[0-9a-f]{32}")
AS_JSON = {"PROMOBRIDGE_LOG_FORMAT": "json"}
HOSTILE = (
    'made-up", "x": "made-up',
    "made-up\\",
    "made-up\n{}",
    "made-up\r\n\r\n",
    "\u2028made-up",
    "made-up\0",
    "sk_live_madeup0123456789",
    "sk_test_madeup0123456789",
)


def record(message: object, *args: object, fault: BaseException | None = None) -> logging.LogRecord:
    """Return a record as a logger makes it, masked."""
    trace = fault and (type(fault), fault, fault.__traceback__)
    made = logging.LogRecord("x", logging.ERROR, __file__, 1, message, args, trace)
    assert Mask().filter(made)
    return made


class TestMask:
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
            ("a sk_live_0abc of it", "a sk_live_… of it"),
            (f"digest of {HEX}.", "digest of …."),
            (
                "Listening at: http://127.0.0.1:8080 (1)",
                "Listening at: http://127.0.0.1:8080 (1)",
            ),
            (
                "Invalid request from ip=::1: Invalid HTTP method: 'MY-KEY'",
                "Invalid request from ip=::1: Invalid HTTP method: …",
            ),
            (
                "No more data after: b'POST /\\r\\nX-Api-Secret: KEY'",
                "No more data after: b…",
            ),
            ("Error handling request KEY /api.php/KEY", "Error handling request …"),
        ],
    )
    def test_what_looks_like_a_credential_is_masked(self, text: str, left: str) -> None:
        assert masked(text) == left

    def test_a_long_text_is_cut_between_words(self) -> None:
        words = "word " * (logs.LONGEST // 5)
        assert masked(f"{words}{HEX} word") == f"{words.rstrip()}{logs.MASK}"
        assert masked("a" * (logs.LONGEST + 1)) == logs.MASK

    @pytest.mark.parametrize(
        "piece",
        [
            "?", "a", "api", "api_key", "api_key=", "api_key=%3d", "=", '\\"', "%3d", "sk_live_",
            "0", HEX, "-", "&", "'", " ", "Invalid request from ip=", "No more data after:",
            "Error handling request ",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("start", ["", "api_key"])
    def test_a_mask_takes_time_in_proportion_to_its_text(self, start: str, piece: str) -> None:
        """Eight times the text takes 64 times as long where a pattern looks back."""

        def taken(size: int) -> float:
            text = start + piece * (size // len(piece))
            rounds = []
            for _ in range(5):
                begun = time.process_time()
                for secret in logs.SECRETS:
                    secret.sub("", text)
                rounds.append(time.process_time() - begun)
            return min(rounds)

        assert taken(16_000) < 24 * taken(2_000) + 0.001

    def test_a_record_names_a_fault_by_kind_and_place(self) -> None:
        try:
            raise ValueError(PAIR.api_key)
        except ValueError as problem:
            made = record("of %s: %s", f"/api.php?{QUERY}", problem, fault=problem)
        line = logging.Formatter().format(made)
        assert line.startswith("of /api.php?… ValueError: ValueError at ")
        assert "test_logs.py" in line
        assert "made-up" not in line

    @pytest.mark.parametrize("text", ['a"b', "a\nb", "a\u2028b", "a\\", "\ud800", "…"])
    def test_a_json_message_stays_on_its_line(self, text: str) -> None:
        line = logs.JsonLines(["message"]).format(record("%s", text))
        assert line.isascii()
        assert "\n" not in line
        assert json.loads(line)["message"] == text

    def test_a_text_message_stays_on_its_line(self) -> None:
        line = logs.TextLines().format(record("a\nb\r\nc\u2028d"))
        assert line.endswith("[ERROR] a b c d")

    def test_a_text_message_does_not_act_on_a_terminal(self) -> None:
        line = logs.TextLines().format(record("%s", "a\x1b[2Jb\x9bc\u202ed"))
        assert line.endswith(r"[ERROR] a\x1b[2Jb\x9bc\u202ed")

    def test_lines_of_a_request_name_it(self, app: Flask) -> None:
        made = record("said")
        assert logs.TextLines().format(made).endswith("[ERROR] said")
        assert "request_id" not in json.loads(logs.JsonLines(["message"]).format(made))
        with app.app_context():
            g.request_id = GIVEN
            made = record("said")
        assert logs.TextLines().format(made).endswith(f"[ERROR] said [{GIVEN}]")
        assert json.loads(logs.JsonLines(["message"]).format(made))["request_id"] == GIVEN


class TestRequestIds:
    @pytest.mark.parametrize(
        "path", ["/api.php", "/admin/api.php", "/v1/x", "/nowhere", "/healthz"]
    )
    def test_every_answer_has_an_id_of_its_own(self, client: FlaskClient, path: str) -> None:
        first, second = (client.get(path, headers={HEADER: GIVEN}) for _ in range(2))
        for answer in (first, second):
            (name,) = answer.headers.getlist(HEADER)
            assert OURS.fullmatch(name)
            assert name != GIVEN
        assert first.headers[HEADER] != second.headers[HEADER]

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("9f86d081-884c-4d65-9a2f-EAA0C55AD015", True),
            (GIVEN, True),
            ("a" * 64, True),
            ("a" * 65, False),
            ("a" * 15, False),
            ("secret-of-the-shop", False),
            ("", False),
            ("a b", False),
            ('a"b', False),
            ("ż", False),
            ("sk_live_0123456789abcdef", False),
            (HEX, False),
        ],
    )
    def test_a_trusted_proxy_may_give_the_id(self, store: Settings, sent: str, kept: bool) -> None:
        app = create_app(Settings(database_url=store.database_url, proxy_count=1))
        answer = app.test_client().get("/v1/x", headers={HEADER: sent.encode().decode("latin-1")})
        assert (answer.headers[HEADER] == sent) is kept
        assert kept or OURS.fullmatch(answer.headers[HEADER])

    def test_the_id_is_known_while_the_request_runs_and_not_after(self, app: Flask) -> None:
        @app.get("/seen")
        def seen() -> str:
            return logs.request_id()

        answer = app.test_client().get("/seen")
        assert answer.text == answer.headers[HEADER]
        assert logs.request_id() == ""


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
        server.get(QUERY, f"X-Forwarded-For: fe80::1%{secret}"),
        server.post(f"{QUERY}&call=getHostBillversion".encode(), FORM),
        server.post(f'{{"api_key":"{secret}",'.encode(), "application/json"),
        server.post(part.encode(), "multipart/form-data; boundary=b"),
        server.post(b"x" * 9_000_000, FORM, QUERY),
        server.send(request_bytes("PUT", target)),
    ]
    for answer in answers:
        echoed = answer.value["call"] == secret  # the contract: `call` echoes what was asked
        assert echoed or b"made-up" not in answer.body
    no_http = [
        server.send(request_bytes("MADEUPKEY", target)),
        server.send(f"GET {target}\r\n\r\n".encode()),
        server.send(f"{secret.upper()} {target} HTTP/1.1\r\n\r\n".encode()),
        server.send(f"GET {target} {QUERY}\r\n\r\n".encode()),
        server.send(f"GET http:{target}\n\n".encode(), half_close=True),
        server.send(request_bytes("GET", target, f"api_key {secret}")),
        server.send(request_bytes("GET", target, f"api_key({secret}): x")),
        server.send(request_bytes("GET", target, f"Transfer-Encoding: {secret}")),
        server.send(request_bytes("GET", target, f"Expect: {secret}")),
        server.send(request_bytes("GET", target, f"Content-Length: {secret}")),
        server.send(request_bytes("GET", target, *(f"X-{n}: {secret}" for n in range(200)))),
        server.send(
            request_bytes("POST", target, "Transfer-Encoding: chunked") + secret.encode() + b"\r\n",
            half_close=True,
        ),
        server.send(
            request_bytes("POST", target, "Content-Length: 99") + QUERY.encode(), half_close=True
        ),
    ]
    return [answer.status for answer in [*answers, *no_http]]


def half_a_request(server: Server) -> None:
    """Send half a request line and go; return when the server has noticed."""
    with socket.create_connection(server.address, timeout=30) as connection:
        connection.sendall(f"GET /api.php?{QUERY}".encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


class TestGunicorn:
    def test_the_whole_output_holds_no_credential(self, store: Settings, tmp_path: Path) -> None:
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
        assert set(statuses) > {200, 400, 404, 405, 413}
        assert ' "-" /admin/api.php - - - - GET HTTP/1.1 127.0.0.1 - - - - 200' in output
        assert ' "-" /admin/api.php - - - - … HTTP/1.1 127.0.0.1 - - - - 405' in output
        assert ' "-" /admin… - - - - GET HTTP/1.1 127.0.0.1 - - - - 404' in output
        assert output.count("Invalid request from ip=127.0.0.1: ") >= 8
        assert "A request failed: JSONDecodeError at " in output
        for secret in (
            "made-up",
            PAIR.api_key,
            PAIR.api_id,
            PAIR.api_key.upper(),
            "bWFkZ",
            "MADEUP",
        ):
            assert secret not in output, [line for line in output.split("\n") if secret in line]

    def test_a_usual_access_line_is_short_and_readable(
        self, store: Settings, tmp_path: Path
    ) -> None:
        accesses.add("tests", PAIR)
        with served(tmp_path) as server:
            server.get(f"{QUERY}&call=getHostBillversion", f"Referer: {PAIR.api_key}")
            server.stop()
        (line,) = (line for line in server.log().split("\n") if '"GET ' in line)
        when, rest = line[:28], line[28:]
        assert when.startswith("[")
        assert when.endswith("]")
        assert rest.startswith(' 127.0.0.1 "GET /admin/api.php HTTP/1.1" 200 ')
        assert re.search(r" \d+ms [0-9a-f]{32}$", rest)

    def test_the_whole_log_is_json_without_a_credential(
        self, store: Settings, tmp_path: Path
    ) -> None:
        accesses.add("tests", PAIR)
        settings = AS_JSON | {
            "GUNICORN_CMD_ARGS": "--log-level debug",
            "PROMOBRIDGE_PROXY_COUNT": "1",
        }
        with served(tmp_path, **settings) as server:
            abuse(server)
            half_a_request(server)
            for key in HOSTILE:
                hostile_requests(server, key)
            Access.update(calls=Value(f"{{{QUERY}", converter=False)).execute()  # no JSON
            assert server.get(f"{QUERY}&call=getHostBillversion").status == 503
            _, rest = server.stop()
        assert rest == ""
        lines = parsed(server.log())
        kinds = {line["logger"] for line in lines}
        assert {"access", "gunicorn.error", "app.legacy.failures"} <= kinds
        for secret in ("api_key=", PAIR.api_key, PAIR.api_id, "madeup0123456789", "bWFkZ"):
            assert secret not in server.log()
        for line in lines:
            # What only its owner knows for a key may stand in a path, where no key belongs.
            said = {name: text for name, text in line.items() if name != "path"}
            assert "made-up" not in json.dumps(said)

    def test_the_lines_of_a_request_have_the_id_that_the_client_was_given(
        self, store: Settings, tmp_path: Path
    ) -> None:
        accesses.add("tests", PAIR)
        with served(tmp_path, "--workers", "1", PROMOBRIDGE_PROXY_COUNT="1", **AS_JSON) as server:
            database.execute_sql("drop table access")
            assert server.get("call=x&api_id=a", f"X-Request-Id: {GIVEN}").status == 503
            server.send(request_bytes("GET", "/api.php", "Content-Length: x"))
            server.stop()
        lines = parsed(server.log())
        named = [line for line in lines if line.get("request_id") == GIVEN]
        assert [(line["level"], line["logger"]) for line in named] == [
            ("error", "app.legacy.failures"),
            ("info", "access"),
        ]
        access = named[1]
        assert access.pop("bytes") > 0
        assert access.pop("milliseconds") > 0
        assert access.pop("pid") == named[0]["pid"]
        assert access.pop("time")
        assert access == {
            "level": "info",
            "logger": "access",
            "request_id": GIVEN,
            "address": "127.0.0.1",
            "method": "GET",
            "path": "/admin/api.php",
            "query": True,
            "protocol": "HTTP/1.1",
            "status": 503,
        }
        (refused,) = (
            line for line in lines if line.get("message", "").startswith("Invalid request")
        )
        assert "request_id" not in refused

    def test_the_access_log_can_be_turned_off(self, store: Settings, tmp_path: Path) -> None:
        with served(tmp_path, PROMOBRIDGE_ACCESS_LOG="0") as server:
            assert server.get("call=x").status == 200
            server.stop()
        assert "api.php" not in server.log()
        assert "Worker exiting" in server.log()


def test_granian_logs_without_a_credential(store: Settings, tmp_path: Path) -> None:
    accesses.add("tests", PAIR)
    with granian(tmp_path, "--access-log") as server:
        for path in ("/api.php?", "/api.php&", "/api.php%3F", "/api.php%0A"):
            server.send(request_bytes("GET", f"{path}{QUERY}"))
        database.execute_sql("drop table access")
        answer = server.send(request_bytes("GET", f"/api.php?{QUERY}", f"{HEADER}: {GIVEN}"))
        assert answer.status == 503
    assert server.log().count('"GET /api.php') == 5
    assert re.search(rf"\[ERROR\] The store cannot be reached: .* \[{GIVEN}\]\n", server.log())
    assert "made-up" not in server.log()


def hostile_requests(server: Server, key: str) -> None:
    """Send a key as no library does: unquoted, in query, path, and every header that is read."""
    headers = [
        f"{name}: {key.replace(chr(0), '').split(chr(10))[0].strip()}".encode().decode("latin-1")
        for name in ("X-Request-Id", "X-Forwarded-For", "X-API-Secret", "Referer")
    ]
    for target in (f"/api.php?api_key={key}", f"/api.php/{key}", f"/v1/x?api_key={key}"):
        server.send(request_bytes("GET", target.encode().decode("latin-1"), *headers))


def parsed(log: str) -> list[dict[str, Any]]:
    """Return every line as the object that it must be."""
    lines = [json.loads(line) for line in log.splitlines()]
    for line in lines:
        assert {"time", "level", "logger", "pid"} <= set(line)
        assert datetime.fromisoformat(line["time"]).utcoffset() is not None
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    return lines


def test_a_job_worker_writes_json_too(store: Settings, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import logging\n"
         "from app.cli.worker import command\n"
         "command(['--once'], standalone_mode=False)\n"
         f"logging.getLogger('app.x').warning('api_key=%s', {PAIR.api_key!r})"],
        cwd=ROOT, env=environment(tmp_path, **AS_JSON), capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = parsed(done.stderr)
    assert (line["logger"], line["level"], line["message"]) == ("app.x", "warning", "api_key…")


def test_another_format_is_refused() -> None:
    with pytest.raises(BadSetting, match="PROMOBRIDGE_LOG_FORMAT must be text or json"):
        from_environment({"PROMOBRIDGE_LOG_FORMAT": "xml"})
