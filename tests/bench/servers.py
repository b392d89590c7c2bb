"""The programs that are measured: each started on a free port of loopback, stopped by its id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PEER = Path(__file__).with_name("peer") / "api.php"
PROCESSES = 2
START_SECONDS = 20
STOP_SECONDS = 10
PACKAGES = {"php-fpm": "php-fpm php-sqlite3", "nginx": "nginx-light", "wrk": "wrk"}
OPCACHE = {
    "opcache.enable": "1",
    "opcache.validate_timestamps": "0",
    "opcache.jit": "tracing",
    "opcache.jit_buffer_size": "64M",
    "memory_limit": "1G",
    "log_errors": "1",
    "display_errors": "0",
    "date.timezone": "UTC",
}
FPM = """
[global]
error_log = {folder}/fpm.log
daemonize = no
[www]
listen = {folder}/fpm.sock
pm = static
pm.max_children = {processes}
{user}
"""
NGINX = """
daemon off;
{user}
worker_processes {processes};
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  proxy_temp_path {folder}/proxy;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      fastcgi_pass unix:{folder}/fpm.sock;
      fastcgi_buffer_size 64k;
      fastcgi_buffers 256 64k;
      fastcgi_busy_buffers_size 1m;
      fastcgi_max_temp_file_size 0;
      fastcgi_param SCRIPT_FILENAME {page};
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param STORE {store};
    }}
  }}
}}
"""


class Missing(Exception):
    """Say which program is not installed and how to get it."""


class Broken(Exception):
    """Say which program did not start, or answered something else than it should."""


@dataclass(frozen=True)
class Server:
    """Name a running server: its port, and the process to ask for its children."""

    name: str
    port: int
    pid: int

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str) -> bytes:
        """Return the body of an answer. Raises Broken when its status is not 200."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Broken(f"{self.name} answered {answer.status}: {body[:200]!r}")
        return body

    def workers(self) -> list[int]:
        """Return the ids of the worker processes."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(child) for child in children.split()]


def program(name: str) -> str:
    """Return the path of a program. Raises Missing."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None and name == "php-fpm":  # Debian's has its version in its name
        found = next(iter(sorted(map(str, Path("/usr/sbin").glob("php-fpm*")), reverse=True)), None)
    if found is None:
        every = " ".join(PACKAGES.values())
        raise Missing(f"{name} is not installed: apt-get install --no-install-recommends {every}")
    return found


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a program until the block ends; yield its process id."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def gunicorn(
    name: str, app: str, env: Mapping[str, str], processes: int = PROCESSES
) -> Iterator[Server]:
    """Serve a WSGI application of this checkout with the settings in gunicorn.conf.py."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", app]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", str(processes)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder, "log")
        with running(command, log, env) as pid:
            server = Server(name, port, pid)
            _wait(server, log)
            yield server


def promobridge(
    store: Path, name: str = "promobridge", processes: int = PROCESSES, **settings: str
):
    """Serve promobridge over a store; settings are PROMOBRIDGE_* without the prefix."""
    env = {f"PROMOBRIDGE_{key.upper()}": value for key, value in settings.items()}
    env["PROMOBRIDGE_DATABASE_URL"] = f"sqlite:///{store}"
    return gunicorn(name, "wsgi:app", env, processes)


def fixed_body(size: int):
    """Serve a body of so many bytes."""
    return gunicorn("fixed body", "tests.bench.fixed:app", {"FIXED_BODY_BYTES": str(size)})


@contextmanager
def php(store: Path) -> Iterator[Server]:
    """Serve the PHP page over its own copy of a store."""
    port = free_port()
    user = "root" if os.geteuid() == 0 else ""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        copy = shutil.copy(store, folder / "store.db")
        known = {
            "folder": folder,
            "processes": PROCESSES,
            "port": port,
            "page": PEER,
            "store": copy,
        }
        pool = FPM.format(user=f"user = {user}\ngroup = {user}" if user else "", **known)
        (folder / "fpm.conf").write_text(pool)
        (folder / "nginx.conf").write_text(
            NGINX.format(user=f"user {user};" if user else "", **known)
        )
        fpm = [program("php-fpm"), "--nodaemonize", "--fpm-config", f"{folder}/fpm.conf"]
        fpm += ["--allow-to-run-as-root"] if user else []
        for setting, value in OPCACHE.items():
            fpm += ["-d", f"{setting}={value}"]
        web = [
            program("nginx"),
            "-p",
            name,
            "-e",
            f"{folder}/nginx.log",
            "-c",
            f"{folder}/nginx.conf",
        ]
        log = folder / "nginx.log"
        with running(fpm, folder / "fpm.log"), running(web, log) as pid:
            server = Server("PHP page", port, pid)
            _wait(server, log)
            yield server


def _wait(server: Server, log: Path) -> None:
    """Wait for the first answer. Raises Broken when it does not come."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not _ended(server.pid):
        with suppress(OSError, HTTPException, Broken):
            server.get("/admin/api.php?call=")
            return
        time.sleep(0.01)
    raise Broken(f"{server.name} did not start: {log.read_text()[-2000:]}")


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
