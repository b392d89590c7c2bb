"""Logs as JSON: every line is one object, names its request, and holds no credential."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from app.masking import MASKING
from peewee import Value

from app import log_lines, request_ids
from app.config import BadSetting, Settings, from_environment
from models.access import accesses
from models.access.accesses import Access
from models.store.base import database
from tests.app.test_masking import PAIR, QUERY, abuse, half_a_request
from tests.serving import ROOT, environment, request_bytes, served

GIVEN = "0af7651916cd43dd8448eb211c80319c"
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


def parsed(log: str) -> list[dict[str, Any]]:
    """Return every line as the object that it must be."""
    lines = [json.loads(line) for line in log.splitlines()]
    for line in lines:
        assert {"time", "level", "logger", "pid"} <= set(line)
        assert datetime.fromisoformat(line["time"]).utcoffset() is not None
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    return lines


def test_the_whole_log_of_a_server_is_json_without_a_credential(
    store: Settings, tmp_path: Path
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
            # Unquoted, as no library sends it: in the query, in the path, in every header we read.
            for target in (f"/api.php?api_key={key}", f"/api.php/{key}", f"/v1/x?api_key={key}"):
                raw = request_bytes(
                    "GET",
                    target.encode().decode("latin-1"),
                    *(
                        f"{name}: {key.replace(chr(0), '').split(chr(10))[0].strip()}"
                        .encode().decode("latin-1")
                        for name in ("X-Request-Id", "X-Forwarded-For", "X-API-Secret", "Referer")
                    ),
                )  # fmt: skip
                server.send(raw)
        Access.update(calls=Value(f"{{{QUERY}", converter=False)).execute()  # no JSON
        assert server.get(f"{QUERY}&call=getHostBillversion").status == 503
        server.stop()
    lines = parsed(server.log())
    kinds = {line["logger"] for line in lines}
    assert {"access", "gunicorn.error", "app.rpc"} <= kinds
    for secret in ("api_key=", PAIR.api_key, PAIR.api_id, "madeup0123456789", "bWFkZ"):
        assert secret not in server.log()
    for line in lines:
        # What only its owner knows for a key may stand in a path, where no key belongs.
        of_path = line["level"] == "debug" and line["message"].startswith("GET /")
        said = {name: text for name, text in line.items() if name != "path" and not of_path}
        assert "made-up" not in json.dumps(said)


def test_an_error_line_has_the_name_that_the_client_was_given(
    store: Settings, tmp_path: Path
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
        ("error", "app.rpc"),
        ("info", "access"),
    ]
    access = named[1]
    assert (access["method"], access["path"], access["query"]) == ("GET", "/admin/api.php", True)
    assert (access["status"], access["address"]) == (503, "127.0.0.1")
    assert access["bytes"] > 0
    assert access["milliseconds"] > 0
    (refused,) = (line for line in lines if line.get("message", "").startswith("Refused bytes"))
    assert "request_id" not in refused


def test_the_access_log_can_be_turned_off(store: Settings, tmp_path: Path) -> None:
    with served(tmp_path, PROMOBRIDGE_ACCESS_LOG="0") as server:
        assert server.get("call=x").status == 200
        server.stop()
    assert "api.php" not in server.log()
    assert "Worker exiting" in server.log()


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


@pytest.mark.parametrize("text", ['a"b', "a\nb", "a\u2028b", "a\\", "\ud800", "…"])
def test_a_message_stays_on_its_line(text: str) -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%s", (text,), None)
    MASKING.filter(record)
    line = log_lines.JsonLines().format(record)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["message"] == text


def test_text_lines_of_a_request_end_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "said", (), None)
    request_ids.end()
    lines = log_lines.formatter(Settings(), "%(levelname)s %(message)s")
    assert lines.format(record) == "INFO said"
    monkeypatch.setattr(request_ids, "current", lambda: "a-1")
    assert lines.format(record) == "INFO said [a-1]"


def test_another_format_is_refused() -> None:
    with pytest.raises(BadSetting, match="PROMOBRIDGE_LOG_FORMAT must be text or json"):
        from_environment({"PROMOBRIDGE_LOG_FORMAT": "xml"})
