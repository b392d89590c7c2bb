"""The servers of the panel: php-fpm, and nginx with TLS before it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, Literal

from tests.engine_servers import free_port
from tests.programs import program
from tests.waiting import wait_until

PAGE = Path(__file__).with_name("page")
STOP_SECONDS = 20
Part = Literal["php", "web"]
PARTS: tuple[Part, ...] = ("php", "web")
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


class PanelServers:
    """Hold the servers over a folder, which listen on the same ports whenever they run.

    `children` is how many requests PHP does at once.
    """

    def __init__(self, folder: Path, children: int) -> None:
        self.folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.ca = folder / "panel.pem"
        self._processes: dict[Part, subprocess.Popen[bytes]] = {}
        _certify(folder)
        self._configure(children)

    def start(self, *parts: Part) -> None:
        """Start php-fpm (`php`) and nginx (`web`), or one of them, where they do not run."""
        for part in parts or PARTS:
            if part not in self._processes:
                self._processes[part] = self._started(part)
        if "php" in self._processes:
            self._wait_for("php", lambda: _accepts(socket.AF_UNIX, f"{self.folder}/fpm.sock"))
        if "web" in self._processes:
            # It binds one after the other, and ends where one of them is taken.
            ports = [("127.0.0.1", self.port), ("127.0.0.2", self.port)]
            ports.append(("127.0.0.1", self.plain_port))
            self._wait_for("web", lambda: all(_accepts(socket.AF_INET, each) for each in ports))

    def stop(self, *parts: Part) -> None:
        """End them as their services do; requests under way are cut off."""
        self._end(signal.SIGTERM, parts)

    def kill(self, *parts: Part) -> None:
        """End them with all their children at once, as `kill -9` does."""
        self._end(signal.SIGKILL, parts)

    def pids(self) -> list[int]:
        """Return the ids of what runs, without children."""
        return [process.pid for process in self._processes.values()]

    def log(self) -> str:
        """Return what PHP and nginx have logged."""
        logs = sorted(self.folder.glob("*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

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
