"""The nginx site as it is, in front of a real server: addresses, limits, TLS, what is closed."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest

from tests.concurrency.clients import bound_store
from tests.credentials import PAIR, QUERY
from tests.engine_servers import free_port
from tests.programs import program
from tests.serving import ROOT, Server, reply, served
from tests.waiting import wait_until

SITE = ROOT / "deploy" / "nginx" / "promobridge.conf"
HOST = "promo.example.com"
CALL = f"{QUERY}&call=getHostBillversion"
SECONDS = 20
THREADS = 8
"""Those of both workers."""
MAIN = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/main.log;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log off;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Answer:
    """Hold an answer."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes


@dataclass
class Site:
    """Hold a running nginx with the site, and the server behind it."""

    folder: Path
    http: int
    https: int
    server: Server

    def ask(
        self,
        target: str,
        body: bytes | None = None,
        source: str = "127.0.0.1",
        **headers: str,
    ) -> Answer:
        """Send a request over TLS, from an address of this machine."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.https, timeout=SECONDS)
        connection.sock = self.connected(source)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST" if body else "GET", target, body, {"Host": HOST} | named)
        with connection.getresponse() as answer:
            got = Answer(answer.status, answer.headers, answer.read())
        connection.close()
        return got

    def connected(self, source: str) -> ssl.SSLSocket:
        """Return a connection from an address of this machine."""
        trusting = ssl.create_default_context(cafile=self.folder / "cert.pem")
        plain = socket.create_connection(("127.0.0.1", self.https), SECONDS, (source, 0))
        return trusting.wrap_socket(plain, server_hostname=HOST)

    def value(self, target: str, body: bytes | None = None, source: str = "127.0.0.1") -> Any:
        """Return the JSON of an answer."""
        answer = self.ask(target, body, source)
        return json.loads(answer.content)


def written(folder: Path, http_port: int, https_port: int, upstream: int) -> Path:
    """Write the site with other ports and places, and nothing else changed."""
    text = SITE.read_text()
    for was, now, times in (
        ("server 127.0.0.1:8080;", f"server 127.0.0.1:{upstream};", 1),
        ("listen 80;", f"listen 127.0.0.1:{http_port};", 1),
        ("listen 443 ssl", f"listen 127.0.0.1:{https_port} ssl", 1),
        ("    listen [::]:80;\n", "", 1),
        ("    listen [::]:443 ssl http2;\n", "", 1),
        ("/etc/ssl/promobridge/fullchain.pem", f"{folder}/cert.pem", 1),
        ("/etc/ssl/promobridge/privkey.pem", f"{folder}/key.pem", 1),
        ("/var/log/nginx/", f"{folder}/", 2),
    ):
        assert text.count(was) == times, was
        text = text.replace(was, now)
    (folder / "site.conf").write_text(text)
    configuration = folder / "nginx.conf"
    configuration.write_text(MAIN.format(folder=folder, user="" if os.getuid() else "user root;"))
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-nodes", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
            *("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
        ],
        check=True,
        capture_output=True,
    )
    return configuration


@contextmanager
def put_up(folder: Path) -> Iterator[Site]:
    """Put the site in front of a server that knows PAIR, for 127.0.0.2 alone."""
    nginx = program("nginx")
    with (
        bound_store(folder, ip_rule="127.0.0.2"),
        served(folder, PROMOBRIDGE_PROXY_COUNT="1") as server,
    ):
        http_port, https_port = free_port(), free_port()
        configuration = written(folder, http_port, https_port, server.address[1])
        checked = subprocess.run(
            [nginx, "-t", "-c", str(configuration)], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
        assert "warn" not in checked.stderr
        process = subprocess.Popen([nginx, "-c", str(configuration)], stderr=subprocess.DEVNULL)
        try:
            _wait_for(https_port, process)
            yield Site(folder, http_port, https_port, server)
        finally:
            process.terminate()
            process.wait(SECONDS)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the site of all tests that leave it running."""
    with put_up(tmp_path_factory.mktemp("site")) as site:
        yield site


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    def listens() -> bool:
        assert process.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens)


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
    fits = CALL.encode() + b"&x=" + b"a" * 8_000_000
    assert site.value("/api.php", fits, source="127.0.0.2") is not None
    for size in (8_500_000, 10_000_000):  # refused by promobridge, and by nginx before it
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
