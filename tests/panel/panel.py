"""A billing panel of our own for tests: a PHP page behind php-fpm and nginx with TLS.

It is no code of promobridge: it keeps a state of its own, and answers what its vendor documents.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.engine_servers import free_port
from tests.panel.seeds import seed
from tests.programs import program
from tests.waiting import wait_until

PAGE = Path(__file__).with_name("page")
STOP_SECONDS = 20
BUSY_SECONDS = 30
BLOCK = 65536
Part = Literal["php", "web"]
PARTS: tuple[Part, ...] = ("php", "web")
OPTIONS: dict[str, dict[str, Any]] = {
    "delay": {"seconds": 1.0},
    "late": {"seconds": 1.0},
    "drop": {},
    "lose": {},
    "cut": {"bytes": 20},
    "trickle": {"bytes": 1, "seconds": 0.05},
    "html": {"status": 200},
    "status": {"status": 500},
    "redirect": {"location": "/admin/index.php"},
    "fail": {"error": "Something went wrong"},
    "short": {"rows": 1},
    "mutate": {"add": 1, "remove": 1},
}
"""The kinds of faults, each with its options and what they are unless given."""
FPM = """
[global]
error_log = {folder}/fpm.log
daemonize = no
[www]
listen = {folder}/fpm.sock
listen.backlog = 1024
pm = static
pm.max_children = {children}
catch_workers_output = yes
{pool_user}
"""
NGINX = """
daemon off;
{web_user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000;
  large_client_header_buffers 4 64k;
  client_max_body_size 0;
  client_body_in_file_only clean;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  proxy_temp_path {folder}/proxy;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  gzip on;
  gzip_types application/json;
  server {{
    listen 127.0.0.1:{port} ssl backlog=1024;
    listen 127.0.0.2:{port} ssl;
    listen 127.0.0.1:{plain_port} backlog=1024;
    ssl_certificate {folder}/panel.pem;
    ssl_certificate_key {folder}/panel.key;
    location = /closed {{ internal; return 444; }}
    location = /admin/api.php {{
      fastcgi_pass unix:{folder}/fpm.sock;
      fastcgi_buffering off;
      fastcgi_buffer_size 64k;
      fastcgi_buffers 8 64k;
      fastcgi_read_timeout 600s;
      fastcgi_ignore_client_abort on;
      fastcgi_param SCRIPT_FILENAME {page}/api.php;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param BODY_FILE $request_body_file;
      fastcgi_param PANEL_STATE {folder}/state.db;
      fastcgi_param PANEL_JOURNAL {folder}/journal.jsonl;
    }}
  }}
}}
"""
PHP_SETTINGS = {
    "opcache.enable": "1",
    "opcache.validate_timestamps": "0",
    "memory_limit": "1G",
    "post_max_size": "2G",
    "upload_max_filesize": "2G",
    "request_order": "GP",
    "serialize_precision": "-1",
    "log_errors": "1",
    "display_errors": "0",
    "output_buffering": "0",
    "date.timezone": "UTC",
}


@dataclass(frozen=True)
class Entry:
    """Hold a request that reached the panel, as it was before anything was done with it.

    `arguments` are without the key; `files` are its uploads by field, name, type, size and sha256.
    `success` is None when nothing was answered in JSON, as yet or at all.
    """

    id: str
    at: float
    method: str
    call: str
    arguments: dict[str, Any]
    key_digest: str
    address: str
    headers: dict[str, str]
    query_digest: str
    body_size: int
    body_digest: str
    files: list[dict[str, Any]]
    success: bool | None = None


@dataclass(frozen=True)
class Fault:
    """Hold a fault of the panel, until its block ends or it is removed."""

    panel: Panel
    number: int

    def remove(self) -> None:
        """Let the panel do right again."""
        self.panel.execute("DELETE FROM fault WHERE id = ?", self.number)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Panel:
    """Hold a panel: its addresses, its state, its faults and the requests that reached it."""

    def __init__(self, folder: Path, children: int = 16) -> None:
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}/admin/api.php"
        self.plain_url = f"http://127.0.0.1:{self.plain_port}/admin/api.php"
        self.ca = folder / "panel.pem"
        self._processes: dict[Part, subprocess.Popen[bytes]] = {}
        _certify(folder)
        self._configure(children)
        with closing(self._connected()) as state:
            state.executescript((PAGE / "schema.sql").read_text())
            seed(state)
        self.api_id, self.api_key = self.access()

    @property
    def credentials(self) -> dict[str, str]:
        """Return the arguments that name the access."""
        return {"api_id": self.api_id, "api_key": self.api_key}

    # Processes

    def start(self, *parts: Part) -> None:
        """Start php-fpm (`php`) and nginx (`web`), or one of them, where they do not run."""
        for part in parts or PARTS:
            if part not in self._processes:
                self._processes[part] = self._started(part)
        if "php" in self._processes:
            self._wait_for("php", lambda: _accepts(socket.AF_UNIX, f"{self.folder}/fpm.sock"))
        if "web" in self._processes:
            self._wait_for("web", lambda: _accepts(socket.AF_INET, ("127.0.0.1", self.port)))

    def stop(self, *parts: Part) -> None:
        """End them as their services do; requests under way are cut off."""
        self._end(signal.SIGTERM, parts)

    def kill(self, *parts: Part) -> None:
        """End them with all their children at once, as `kill -9` does."""
        self._end(signal.SIGKILL, parts)

    def pids(self) -> list[int]:
        """Return the ids of what runs, without children."""
        return [process.pid for process in self._processes.values()]

    # What it does wrong

    def fault(
        self,
        kind: str,
        call: str | None = None,
        *,
        times: int | None = None,
        asked: Mapping[str, object] | None = None,
        **options: object,
    ) -> Fault:
        """Make it do wrong; see OPTIONS for the kinds.

        `call` is a call's name, or None for all; `times` None is until removed; `asked` are
        arguments that a request must have, such as `{"page": 1}`. Of two of a kind the first
        counts.
        """
        assert options.keys() <= OPTIONS[kind].keys(), options
        number = self.execute(
            "INSERT INTO fault (kind, call, times, asked, options) VALUES (?, ?, ?, ?, ?)",
            kind,
            call and call.lower(),
            times,
            json.dumps({name: str(value) for name, value in (asked or {}).items()}),
            json.dumps(OPTIONS[kind] | options),
        )
        return Fault(self, number)

    def mend(self) -> None:
        """Remove all faults."""
        self.execute("DELETE FROM fault")

    # What reached it, and what it keeps

    def journal(self, call: str | None = None) -> list[Entry]:
        """Return the requests that reached it in their order, of a call (in any case) or all."""
        file = self.folder / "journal.jsonl"
        found: dict[str, dict[str, Any]] = {}
        for line in file.read_text().splitlines() if file.exists() else ():
            try:
                fields = json.loads(line)
            except ValueError:
                continue  # blank, or cut off by a kill
            found.setdefault(fields["id"], {}).update(fields)
        entries = [Entry(**fields) for fields in found.values()]
        return [each for each in entries if call is None or each.call.lower() == call.lower()]

    def rows(self, table: str, where: str = "1", *values: object) -> list[dict[str, Any]]:
        """Return rows of its state, in the order of their keys; tables are in page/schema.sql."""
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY 1"  # noqa: S608 - words of tests
        with closing(self._connected()) as state:
            state.row_factory = sqlite3.Row
            return [dict(row) for row in state.execute(sql, values)]

    def execute(self, sql: str, *values: object) -> int:
        """Change its state, as its own pages do; return the id of a row that was inserted."""
        with closing(self._connected()) as state:
            return state.execute(sql, values).lastrowid or 0

    def uses(self, code: str) -> int:
        """Return how often all coupons of a code have been used."""
        return sum(row["num_usage"] for row in self.rows("coupon", "code = ?", code))

    def spend(self, code: str) -> None:
        """Use a code as the panel's own order page does, which no API sees."""
        self.execute("UPDATE coupon SET num_usage = num_usage + 1 WHERE code = ?", code)

    def set(self, **settings: object) -> None:
        """Change settings: those in seeds.SETTINGS.

        `lacking` names calls, with commas between, that its release does not have yet.
        """
        for name, value in settings.items():
            assert self.rows("setting", "name = ?", name), name
            self.execute("UPDATE setting SET value = ? WHERE name = ?", str(value), name)

    def access(
        self, ip_rule: str = "all", calls: list[str] | None = None, name: str = "tests"
    ) -> tuple[str, str]:
        """Make an access; return its id and key. `calls` None are all."""
        pair = secrets.token_hex(10), secrets.token_hex(10)
        self.execute(
            "INSERT INTO access (api_id, api_key, name, ip_rule, calls) VALUES (?, ?, ?, ?, ?)",
            *pair,
            name,
            ip_rule,
            None if calls is None else json.dumps(calls),
        )
        return pair

    def log(self) -> str:
        """Return what PHP and nginx have logged."""
        logs = sorted(self.folder.glob("*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    def _connected(self) -> sqlite3.Connection:
        file = self.folder / "state.db"
        state = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
        state.execute("PRAGMA synchronous = OFF")
        return state

    def _configure(self, children: int) -> None:
        is_root = os.geteuid() == 0
        known = {
            "folder": self.folder,
            "page": PAGE,
            "port": self.port,
            "plain_port": self.plain_port,
            "children": children,
            "web_user": "user root;" if is_root else "",
            "pool_user": "user = root\ngroup = root" if is_root else "",
        }
        (self.folder / "fpm.conf").write_text(FPM.format(**known))
        (self.folder / "nginx.conf").write_text(NGINX.format(**known))

    def _started(self, part: Part) -> subprocess.Popen[bytes]:
        if part == "php":
            (self.folder / "fpm.sock").unlink(missing_ok=True)
            command = [php_fpm(), "--nodaemonize", "--fpm-config", f"{self.folder}/fpm.conf"]
            command += ["--allow-to-run-as-root"] if os.geteuid() == 0 else []
            for name, value in PHP_SETTINGS.items():
                command += ["-d", f"{name}={value}"]
        else:
            command = [program("nginx"), "-p", str(self.folder), "-c", f"{self.folder}/nginx.conf"]
            command += ["-e", f"{self.folder}/nginx.log"]
        with (self.folder / f"{part}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that a kill finds its children too
            )

    def _wait_for(self, part: Part, is_there: Any) -> None:
        def listens() -> bool:
            assert self._processes[part].poll() is None, self.log()
            return bool(is_there())

        wait_until(listens, why=self.log)

    def _end(self, number: signal.Signals, parts: tuple[Part, ...]) -> None:
        ended = {part: self._processes.pop(part, None) for part in parts or PARTS}
        for process in filter(None, ended.values()):
            if process.poll() is None and number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)  # which one that has ended does not get
        for process in filter(None, ended.values()):
            process.wait(STOP_SECONDS)


@contextmanager
def running_panel(folder: Path, children: int = 16) -> Iterator[Panel]:
    """Run a panel whose files are in a folder; it has ended when the block ends.

    `children` is how many requests it does at once.
    """
    made = Panel(folder, children)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def backup_bytes(megabytes: int) -> Iterator[bytes]:
    """Yield the answer of `getBackup`, block by block."""
    for block in range(megabytes * (1 << 20) // BLOCK):
        yield str(block).encode().ljust(BLOCK, b".")


def php_fpm() -> str:
    """Return the path of php-fpm, which Debian names by its version."""
    found = sorted(path.name for path in Path("/usr/sbin").glob("php-fpm*"))
    return program(found[-1] if found else "php-fpm")


def _certify(folder: Path) -> None:
    """Make a certificate for 127.0.0.1 and localhost, which is its own authority."""
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-nodes", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", str(folder / "panel.key"), "-out", str(folder / "panel.pem")),
            *("-subj", "/CN=panel", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )


def _accepts(family: socket.AddressFamily, address: Any) -> bool:
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0
