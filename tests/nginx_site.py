"""The nginx site as it is in front of a real server, with other ports and places."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.concurrency.clients import bound_store
from tests.engine_servers import free_port
from tests.programs import program
from tests.serving import ROOT, Server, served
from tests.waiting import wait_until

SITE = ROOT / "deploy" / "nginx" / "promobridge.conf"
HOST = "promo.example.com"
SECONDS = 20
Edit = Callable[[str], str]
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
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(connection):
            connection.sock = self.connected(source)
            connection.request("POST" if body else "GET", target, body, {"Host": HOST} | named)
            with connection.getresponse() as answer:
                return Answer(answer.status, answer.headers, answer.read())

    def connected(
        self, source: str, protocol: str = "http/1.1", window: int | None = None
    ) -> ssl.SSLSocket:
        """Return a connection from an address of this machine.

        `window` is how many bytes that were not read the client's side takes.
        """
        trusting = ssl.create_default_context(cafile=self.folder / "cert.pem")
        trusting.set_alpn_protocols([protocol])
        plain = socket.socket()
        if window is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        plain.settimeout(SECONDS)
        with ExitStack() as on_failure:
            on_failure.enter_context(plain)
            plain.bind((source, 0))
            plain.connect(("127.0.0.1", self.https))
            connected = trusting.wrap_socket(plain, server_hostname=HOST)
            on_failure.pop_all()
        return connected

    def value(self, target: str, body: bytes | None = None, source: str = "127.0.0.1") -> Any:
        """Return the JSON of an answer."""
        answer = self.ask(target, body, source)
        return json.loads(answer.content)


def written(folder: Path, http_port: int, https_port: int, upstream: int, edit: Edit) -> Path:
    """Write the site with other ports and places, and nothing else changed but by `edit`."""
    text = edit(SITE.read_text())
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
def put_up(folder: Path, edit: Edit = str) -> Iterator[Site]:
    """Put the site in front of a server that knows PAIR, for 127.0.0.2 alone."""
    with (
        bound_store(folder, ip_rule="127.0.0.2"),
        served(folder, PROMOBRIDGE_PROXY_COUNT="1") as server,
        fronted(folder, server, edit) as site,
    ):
        yield site


@contextmanager
def fronted(folder: Path, server: Server, edit: Edit = str) -> Iterator[Site]:
    """Put the site in front of a running server; `edit` changes its text."""
    nginx = program("nginx")
    http_port, https_port = free_port(), free_port()
    configuration = written(folder, http_port, https_port, server.address[1], edit)
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


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    def listens() -> bool:
        assert process.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens)
