"""A real Redis for tests: on a free port, in a folder of its own, with a password."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis, RedisError

PASSWORD = "of-the-tests"
START_SECONDS = 20


@dataclass
class RedisServer:
    """Hold a Redis that can be killed and started again at its address, empty."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        """Return what PROMOBRIDGE_LIMITS_URL is set to."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def client(self) -> Redis:
        """Return a connection."""
        return Redis(port=self.port, password=PASSWORD, decode_responses=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "save": "",
            "requirepass": PASSWORD,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(["redis-server", *words], stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        with self.client() as client:
            while True:
                try:
                    client.ping()
                    return
                except RedisError:
                    ended = self.process.poll() is not None or time.monotonic() > end
                    assert not ended, (self.folder / "redis.log").read_text()
                    time.sleep(0.01)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running(folder: Path) -> Iterator[RedisServer]:
    """Run a Redis; skip the test where there is none to run, but never in CI."""
    if shutil.which("redis-server") is None:
        assert "CI" not in os.environ, "redis-server is missing"
        pytest.skip("redis-server is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = RedisServer(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()
