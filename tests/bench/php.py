"""The PHP page: php-fpm with opcache behind nginx, each with two processes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.servers import PROCESSES, Server, answering, program, running
from tests.engine_servers import free_port

PHP = "PHP page"
PAGE = Path(__file__).with_name("peer") / "api.php"
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


@contextmanager
def php(store: Path) -> Iterator[Server]:
    """Serve peer/api.php over a store."""
    port = free_port()
    user = "root" if os.geteuid() == 0 else ""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        known = {
            "folder": folder,
            "processes": PROCESSES,
            "port": port,
            "page": PAGE,
            "store": store,
        }
        pool = FPM.format(user=f"user = {user}\ngroup = {user}" if user else "", **known)
        (folder / "fpm.conf").write_text(pool)
        site = NGINX.format(user=f"user {user};" if user else "", **known)
        (folder / "nginx.conf").write_text(site)
        fpm = [program("php-fpm"), "--nodaemonize", "--fpm-config", f"{folder}/fpm.conf"]
        fpm += ["--allow-to-run-as-root"] if user else []
        for setting, value in OPCACHE.items():
            fpm += ["-d", f"{setting}={value}"]
        log = folder / "nginx.log"
        nginx = [program("nginx"), "-p", name, "-e", str(log), "-c", f"{folder}/nginx.conf"]
        with running(fpm, folder / "fpm.log", {}) as pool_id, running(nginx, log, {}) as web_id:
            yield answering(Server(PHP, port, (web_id, pool_id)), log)
