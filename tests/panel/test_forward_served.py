"""In front of a panel with a real server: what only sockets show."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.credentials import PAIR, QUERY
from tests.panel.fronts import Stub, stub
from tests.serving import Server, environment, request_bytes, served

CALL = f"{QUERY}&call=getClients"


@pytest.fixture
def place() -> Iterator[Stub]:
    """Return what keeps the bytes that a panel would get."""
    with stub() as running:
        yield running


@pytest.fixture
def server(folder: Path, place: Stub, web_server: str) -> Iterator[Server]:
    """Return each web server in turn in front of it."""
    with served(folder, web_server=web_server, PROMOBRIDGE_PANEL_URL=place.url) as running:
        yield running


def test_a_call_goes_through_on_each_server(server: Server, place: Stub) -> None:
    assert server.get(f"{CALL}&x=%c3%A9").value == {"success": True}
    assert place.head()[0] == f"GET /admin/api.php?{CALL}&x=%c3%A9 HTTP/1.1".encode()
    body = b"x=" + b"y" * 3_000_000
    reply = server.post(body, "application/x-www-form-urlencoded", CALL)
    assert reply.value == {"success": True}
    assert place.body() == body


def test_who_may_not_gets_to_the_answer_of_a_large_body(server: Server, place: Stub) -> None:
    reply = server.post(b"x" * 3_000_000, "text/plain", "api_id=abcd&api_key=efgh&call=getClients")
    assert reply.value["error"] == ["Wrong API ID or API Key"]
    assert place.requests == []


@pytest.mark.parametrize("text", ["é".encode().decode("latin-1"), "\xe9", '"<>|{}'])
def test_raw_bytes_in_a_query_go_through(folder: Path, place: Stub, text: str) -> None:
    with served(folder, PROMOBRIDGE_PANEL_URL=place.url) as server:
        assert server.get(f"{CALL}&x={text}").value == {"success": True}
    assert place.head()[0].endswith(f"&x={text} HTTP/1.1".encode("latin-1"))


def test_a_body_in_chunks_goes_on_with_its_length(folder: Path, place: Stub) -> None:
    head = request_bytes("POST", f"/admin/api.php?{CALL}", "Transfer-Encoding: chunked")
    with served(folder, PROMOBRIDGE_PANEL_URL=place.url) as server:
        assert server.send(head + b"3\r\na=1\r\n2\r\n&b\r\n0\r\n\r\n").value == {"success": True}
        assert place.body() == b"a=1&b"
        assert b"Content-Length: 5" in place.head()
        cut = server.send(head + b"3\r\na=1\r\nzz\r\n", half_close=True)
        assert cut.value["error"] == ["Wrong parameter"]
    assert len(place.requests) == 1


def test_no_key_is_in_a_log_or_on_the_metrics_page(folder: Path, place: Stub) -> None:
    answers = (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b"none\r\n\r\n", b"")
    with served(folder, PROMOBRIDGE_PANEL_URL=place.url) as server:
        for answer in answers:
            place.answer = answer
            assert server.get(CALL).status == 503
        place.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b"x" * 200_000
        with pytest.raises(Exception, match="IncompleteRead"):
            server.get(CALL)
        metrics = server.get("", path="/metrics").body.decode()
        log = server.log()
    for text in (log, metrics):
        assert PAIR.api_key not in text
        assert PAIR.api_id not in text
        assert "urllib3" not in text.replace("/urllib3/", "")  # a traceback's place may name it


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"URL": "http://panel.example/admin/api.php"}, "PROMOBRIDGE_PANEL_URL must begin with"),
        ({"URL": "https://panel.example/", "CA": "/nowhere"}, "PROMOBRIDGE_PANEL_CA must be a"),
    ],
)
def test_a_server_does_not_start_with_what_is_of_no_use(
    folder: Path, chosen: dict[str, str], said: str
) -> None:
    given = {f"PROMOBRIDGE_PANEL_{name}": value for name, value in chosen.items()}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve", "--bind", "127.0.0.1:0"],
        env=environment(folder, **given),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
