"""A real server process for tests, and the raw requests that libraries refuse to send."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests import stores
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
START_SECONDS = 30
STOP_SECONDS = 20
ANSWER_SECONDS = 30
LISTENING = "0A"


@dataclass
class Server:
    """Hold a running server: its process, its address, and the file with its log."""

    process: subprocess.Popen[str]
    first_line: str
    endpoint: str
    log_file: Path
    workers: frozenset[int] = frozenset()
    """The ids of the processes that took connections when it had started."""

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        parts = urlsplit(self.endpoint)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def log(self) -> str:
        """Return everything on standard error so far."""
        return self.log_file.read_text()

    def send(self, request: bytes, half_close: bool = False) -> Reply:
        """Send the bytes as they are and return the answer."""
        with socket.create_connection(self.address, timeout=ANSWER_SECONDS) as connection:
            connection.sendall(request)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return reply(connection)

    def get(self, query: str, *headers: str, path: str = "/admin/api.php") -> Reply:
        """Send a GET whose query string may be any text in latin-1."""
        return self.send(request_bytes("GET", f"{path}?{query}", *headers))

    def post(self, body: bytes, content_type: str, query: str = "") -> Reply:
        """Send a POST with credentials or whatever else in the query."""
        target = "/admin/api.php" + (f"?{query}" if query else "")
        return self.send(request_bytes("POST", target, f"Content-Type: {content_type}", body=body))

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End the server; return its exit status and the rest of its standard output."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            rest, _ = self.process.communicate(timeout=STOP_SECONDS)
        finally:
            self.process.kill()
        return self.process.returncode, rest


@dataclass(frozen=True)
class Reply:
    """Hold an answer."""

    status: int
    content_type: str | None
    body: bytes

    @property
    def value(self) -> dict[str, Any]:
        """Return the envelope, checked for what every one has."""
        envelope = json.loads(self.body)
        assert self.content_type == "application/json; charset=UTF-8"
        assert isinstance(envelope["success"], bool)
        assert ("error" in envelope) is not envelope["success"]
        return envelope


def reply(connection: socket.socket) -> Reply:
    """Read one answer."""
    with HTTPResponse(connection) as answer:
        answer.begin()
        return Reply(answer.status, answer.getheader("Content-Type"), answer.read())


def request_bytes(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request that closes its connection, written without any checks."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment for a command with a store of its own in the folder."""
    ours = {name: value for name, value in os.environ.items() if "PROMOBRIDGE_" not in name}
    store = {"PROMOBRIDGE_DATABASE_URL": stores.url(folder), "PYTHONPATH": str(ROOT)}
    # Each of both would make a start half a second longer: tests that need one ask for it.
    beside = {"PROMOBRIDGE_WEBHOOK_SENDERS": "0", "PROMOBRIDGE_JOB_WORKERS": "0"}
    return ours | store | beside | settings


@contextmanager
def served(
    folder: Path,
    *options: str,
    command: tuple[str, ...] = ("serve", "--workers", "2"),
    wrapped: tuple[str, ...] = (),
    web_server: str = "gunicorn",
    **settings: str,
) -> Iterator[Server]:
    """Run `promobridge serve` on a free port over the store in the folder, and end it.

    The store is the one of the `store` fixture when the folder is its tmp_path. `wrapped` are
    words before the command. A test whose promise is about any server takes the fixture
    `web_server`; without it the default one runs.
    """
    log_file = folder / "server.log"
    with log_file.open("w") as log:
        process = subprocess.Popen(
            [
                *wrapped,
                sys.executable,
                "-m",
                "app.cli",
                *command,
                *("--bind", "127.0.0.1:0", "--server", web_server),
                *options,
            ],
            cwd=folder,
            env=environment(folder, **settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # so that Ctrl-C of a terminal can be imitated
        )
    assert process.stdout is not None
    try:
        readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        first_line = process.stdout.readline() if readable else ""
        assert first_line, f"the server did not start:\n{log_file.read_text()}"
        endpoint = first_line.split()[-1]
        if first_line.startswith("{"):
            endpoint = json.loads(first_line)["url"]
        server = Server(process, first_line, endpoint, log_file)
        words = [*command, *options]
        server.workers = wait_for_workers(
            server, [int(count) for word, count in pairwise(words) if word == "--workers"][-1]
        )
        yield server
        assert process.poll() is not None or server.stop()[0] == 0, log_file.read_text()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def wait_for_workers(server: Server, count: int, but: Collection[int] = ()) -> frozenset[int]:
    """Wait until so many processes take connections, and none of `but`; return their ids.

    Those take signals, too: one that is only being forked would lose them.
    """

    def are_there() -> frozenset[int]:
        found = workers(server)
        return found if len(found) == count and found.isdisjoint(but) else frozenset()

    return wait_until(are_there, why=server.log)


def workers(server: Server) -> frozenset[int]:
    """Return the ids of the processes that wait for connections, as the kernel knows them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    waited_for = {f"ino:{int(row[9]):x}" for row in rows if row[3] == LISTENING}
    return frozenset(pid for pid in processes(server) if waited_for & _polled(pid))


def processes(server: Server) -> list[int]:
    """Return the ids of all living processes of a server."""
    return [
        int(path.name)
        for path in Path("/proc").iterdir()
        if path.name.isdigit() and _session(int(path.name)) == server.process.pid
    ]


def _polled(pid: int) -> set[str]:
    """Return the words in which the kernel says what files a process polls."""
    words: set[str] = set()
    with suppress(OSError):  # it ends just now
        for file in Path(f"/proc/{pid}/fdinfo").iterdir():
            with suppress(OSError):
                words.update(file.read_text().split())
    return words


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0
