"""The nginx site as it is, in front of a real server: addresses, limits, TLS, what is closed."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

from tests.credentials import PAIR, QUERY
from tests.nginx_site import HOST, SECONDS, Site, put_up
from tests.serving import reply
from tests.waiting import wait_until

CALL = f"{QUERY}&call=getHostBillversion"
THREADS = 8
"""Those of both workers."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the site of all tests that leave it running."""
    with put_up(tmp_path_factory.mktemp("site")) as site:
        yield site


def test_the_address_of_the_client_comes_through_and_no_header_changes_it(site: Site) -> None:
    allowed = site.value(f"/admin/api.php?{CALL}", source="127.0.0.2")
    assert allowed["success"] is True
    refused = "This IP address is not allowed to use this API ID"
    assert site.value(f"/admin/api.php?{CALL}", source="127.0.0.3")["error"] == [refused]
    for forged in ("127.0.0.2", "127.0.0.2, 127.0.0.2", '"'):
        answer = site.ask(f"/api.php?{CALL}", source="127.0.0.3", X_Forwarded_For=forged)
        assert json.loads(answer.content)["error"] == [refused]


def test_both_apis_errors_of_http_and_names_of_requests(site: Site) -> None:
    answer = site.ask("/v1/campaigns/codes/stats", X_Request_Id="0" * 32)
    assert answer.status == 401
    name = answer.headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", name)
    assert name != "0" * 32
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert site.ask("/nowhere").status == 404
    wait_until(lambda: name in site.server.log())
    log = site.folder / "promobridge.log"
    wait_until(lambda: name in log.read_text())
    assert name in {json.loads(line)["request_id"] for line in log.read_text().splitlines()}


@pytest.mark.parametrize("text", ["Größe".encode(), "Größe".encode("latin-1"), b'"<>'])
def test_raw_bytes_in_a_query_come_through(site: Site, text: bytes) -> None:
    for sent in (text, quote_from_bytes(text).encode()):
        with site.connected("127.0.0.2") as connection:
            line = b"GET /api.php?%s&call=%s HTTP/1.1" % (QUERY.encode(), sent)
            connection.sendall(line + f"\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            answer = reply(connection)
        assert answer.value["error"] == ["Called method is not supported"]
        assert answer.value["call"] == text.decode(errors="replace")


@pytest.mark.parametrize("length", ["", "\r\nContent-Length: 1000\r\n\r\nx"])
def test_clients_that_trickle_hold_nobody(site: Site, length: str) -> None:
    with ExitStack() as slow:
        for _ in range(4 * THREADS):
            connection = slow.enter_context(site.connected("127.0.0.2"))
            connection.sendall(f"POST /api.php HTTP/1.1\r\nHost: {HOST}{length}".encode())
        for _ in range(THREADS):
            assert site.value(f"/api.php?{CALL}", source="127.0.0.2")["success"]


def test_a_query_and_a_large_body_pass_up_to_the_limit(site: Site) -> None:
    for length, status in ((8_000, 200), (9_000, 414)):
        long = f"/api.php?{CALL}&x=".ljust(length, "a")
        assert site.ask(long, source="127.0.0.2").status == status
    fits = CALL.encode() + b"&x=" + b"a" * 1_000_000
    assert site.value("/api.php", fits, source="127.0.0.2") is not None
    for size in (1_100_000, 3_000_000):  # refused by promobridge, and by nginx before it
        answer = site.ask("/api.php", b"a" * size)
        assert answer.status == 413
        assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
        envelope = json.loads(answer.content)
        assert list(envelope) == ["success", "call", "server_time", "error"]
        assert abs(envelope["server_time"] - time.time()) < SECONDS
    answer = site.ask("/v1/campaigns/codes/verify", b"a" * 10_000_000)
    assert (answer.status, json.loads(answer.content)["code"]) == (413, 413)


def test_what_is_for_the_operator_is_closed_to_the_world(site: Site) -> None:
    for path in ("/metrics", "/healthz", "/readyz", "/%6detrics", "//metrics", "/x/../metrics"):
        answer = site.ask(path)
        assert answer.status == 404, path
        assert b"promobridge_" not in answer.content


def test_without_tls_nothing_is_answered(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.http, timeout=SECONDS)
    connection.request("GET", f"/api.php?{CALL}", headers={"Host": HOST})
    assert connection.getresponse().status == 403
    connection.close()


@pytest.fixture
def deserted(tmp_path: Path) -> Iterator[Site]:
    """Return a site of a test alone, which may stop what is behind it."""
    with put_up(tmp_path) as site:
        yield site


def test_a_server_that_is_away_is_an_envelope_and_no_log_has_a_credential(deserted: Site) -> None:
    assert deserted.value(f"/api.php?{CALL}", source="127.0.0.2")["success"] is True
    deserted.server.stop()
    away = deserted.ask(f"/api.php?{CALL}")
    assert (away.status, away.headers["Retry-After"]) == (503, "5")
    envelope = json.loads(away.content)
    assert (envelope["success"], envelope["error"]) == (False, ["Service Unavailable"])
    rest = deserted.ask("/v1/campaigns/codes/stats", X_API_Secret="sk_live_0")
    assert rest.status == 503
    assert json.loads(rest.content)["code"] == 503
    logs = [path.read_text() for path in deserted.folder.glob("*.log")]
    assert sum(log.count("/api.php") for log in logs) >= 3
    for secret in (PAIR.api_key, PAIR.api_id, "sk_live_0"):
        assert not any(secret in log for log in logs)
