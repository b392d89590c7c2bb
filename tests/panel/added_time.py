"""Measure the time that forwarding adds to a call, beside nginx's proxy_pass in the same run.

    python -m tests.panel.added_time --seconds 5 --rounds 7

A stand-in for a panel answers after 50 ms over TLS. The same number of calls a second goes to it
directly, through nginx, and through two workers of promobridge, in turns. Calls are sent when they
are due, whether those before have been answered or not.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.concurrency.clients import bound_store
from tests.credentials import QUERY
from tests.engine_servers import free_port
from tests.programs import program
from tests.serving import served
from tests.waiting import wait_until

PANEL_SECONDS = 0.05
BODY = (
    b'{"success":true,"clients":['
    + b'{"id":"1","firstname":"Ada"},' * 60
    + b'{}],"call":"getClients"}'
)
DIRECT, NGINX, OURS = "direct", "nginx proxy_pass", "promobridge"
PATH = f"/admin/api.php?{QUERY}&call=getClients"
SITE = """
daemon off;
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream panel {{ server 127.0.0.1:{panel}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass https://panel;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {folder}/cert.pem;
            proxy_ssl_name localhost;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Target:
    """Hold where calls are sent."""

    port: int
    trusting: ssl.SSLContext | None = None


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(PANEL_SECONDS)
            writer.write(head % len(BODY) + BODY)
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def _stand_in(port: int, folder: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = await asyncio.start_server(_answer, "127.0.0.1", port, ssl=context, backlog=1024)
    await server.serve_forever()


async def _calls(target: Target, per_second: int, seconds: float) -> list[float]:
    """Return the seconds of each call, from when it was due; of one that was refused, infinity."""
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    request = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    async def one(due: float) -> float:
        reader, writer = (
            idle.pop()
            if idle
            else await asyncio.open_connection("127.0.0.1", target.port, ssl=target.trusting)
        )
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        await reader.readexactly(length)
        taken = time.perf_counter() - due
        idle.append((reader, writer))
        return taken if head.startswith(b"HTTP/1.1 200 ") else float("inf")

    begun = time.perf_counter()
    tasks = []
    for number in range(round(per_second * seconds)):
        due = begun + number / per_second
        await asyncio.sleep(max(0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    taken = await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
        with suppress(OSError):  # TLS may end without its farewell
            await writer.wait_closed()
    return [*taken]


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is None and _listens(port))
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def targets(folder: Path, threads: int) -> Iterator[Mapping[str, Target]]:
    """Run the stand-in, nginx and promobridge."""
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-nodes", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    panel, port = free_port(), free_port()
    user = "" if os.getuid() else "user root;"
    site = SITE.format(folder=folder, panel=panel, port=port, user=user)
    (folder / "nginx.conf").write_text(site)
    context = ssl.create_default_context(cafile=folder / "cert.pem")
    context.check_hostname = False  # the client connects by the address
    with ExitStack() as running:
        stand_in = [sys.executable, "-m", "tests.panel.added_time", "--panel", str(panel)]
        running.enter_context(_running([*stand_in, "--folder", str(folder)], panel))
        nginx = [program("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder)]
        running.enter_context(_running([*nginx, "-e", f"{folder}/nginx.log"], port))
        running.enter_context(bound_store(folder))
        server = running.enter_context(
            served(
                folder,
                PROMOBRIDGE_PANEL_URL=f"https://localhost:{panel}/admin/api.php",
                PROMOBRIDGE_PANEL_CA=str(folder / "cert.pem"),
                PROMOBRIDGE_THREADS=str(threads),
                PROMOBRIDGE_ACCESS_LOG="0",
            )
        )
        yield {
            DIRECT: Target(panel, context),
            NGINX: Target(port),
            OURS: Target(server.address[1]),
        }


@dataclass(frozen=True)
class Round:
    """Hold a round: the median milliseconds of its calls, and the part of them not answered."""

    milliseconds: float
    refused: float


def measured(
    folder: Path, per_second: int, seconds: float, rounds: int, threads: int
) -> dict[str, list[Round]]:
    """Return the rounds by where the calls went."""
    with targets(folder, threads) as contestants:
        found: dict[str, list[Round]] = {name: [] for name in contestants}
        for number in range(rounds + 1):
            for name, target in contestants.items():
                taken = asyncio.run(_calls(target, per_second, seconds if number else 1))
                if number:  # the first only warms up
                    refused = sum(map(math.isinf, taken)) / len(taken)
                    found[name].append(Round(median(taken) * 1000, refused))
    return found


def main() -> None:
    """Run the stand-in, or measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--panel", type=int)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--per-second", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=32)
    given = parser.parse_args()
    if given.panel:
        asyncio.run(_stand_in(given.panel, given.folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), given.per_second, given.seconds, given.rounds, given.threads)
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")  # noqa: T201
    direct = median(each.milliseconds for each in found[DIRECT])
    for name, each in found.items():
        taken = [one.milliseconds for one in each]
        refused = max(one.refused for one in each)
        print(  # noqa: T201
            f"{name:18}{median(taken):8.2f} ms ({min(taken):.2f} to {max(taken):.2f}), "
            f"adds {median(taken) - direct:.2f} ms; {refused:.1%} refused at most"
        )


if __name__ == "__main__":
    main()
