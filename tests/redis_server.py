"""A real Redis for tests: on a free port, in a folder of its own, with a password."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis, RedisError

from tests.engine_servers import free_port
from tests.programs import program
from tests.waiting import wait_until

PASSWORD = "of-the-tests"
START_SECONDS = 20


@dataclass
class RedisServer:
    """Hold a Redis that can be killed and started again at its address, empty."""

    folder: Path
    port: int
    program: str
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
            self.process = subprocess.Popen([self.program, *words], stdout=log, stderr=log)
        with self.client() as client:
            wait_until(lambda: self._answers(client), START_SECONDS, why=self._log)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def _answers(self, client: Redis) -> bool:
        assert self.process.poll() is None, self._log()
        with suppress(RedisError):
            return bool(client.ping())
        return False

    def _log(self) -> str:
        return (self.folder / "redis.log").read_text()


@contextmanager
def running(folder: Path) -> Iterator[RedisServer]:
    """Run a Redis; skip the test where there is none to run, but never in CI."""
    server = RedisServer(folder, free_port(), program("redis-server"))
    server.start()
    try:
        yield server
    finally:
        server.kill()
