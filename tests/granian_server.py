"""The application under granian, which tells nobody when a worker has ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.serving import ANSWER_SECONDS, ROOT, START_SECONDS, Reply, environment, reply
from tests.waiting import wait_until


@dataclass
class Granian:
    """Hold a running server: its socket, the file with its log, and its process."""

    path: Path
    log_file: Path
    process: subprocess.Popen[bytes]

    def log(self) -> str:
        """Return everything that was written so far."""
        return self.log_file.read_text()

    def send(self, request: bytes) -> Reply:
        """Send the bytes as they are and return the answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(self.path))
            connection.sendall(request)
            return reply(connection)

    def is_up(self) -> bool:
        """Tell whether it takes connections."""
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.path))
            return True
        return False


@contextmanager
def granian(folder: Path, *options: str, **settings: str) -> Iterator[Granian]:
    """Serve the store of the folder behind a proxy, on a socket in the folder."""
    path = folder / "http.sock"
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--uds", str(path)]
    given = {"PROMOBRIDGE_PROXY_COUNT": "1"} | settings
    log_file = folder / "granian.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*command, *options, "wsgi:app"],
            cwd=ROOT,
            env=environment(folder, **given),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    server = Granian(path, log_file, process)
    try:
        wait_until(server.is_up, START_SECONDS, why=server.log)
        yield server
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(START_SECONDS)
