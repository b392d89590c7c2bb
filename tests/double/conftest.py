"""A double that runs: one process for the tests of a module."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest

from app.double.seed import PAIR, SECRET
from tests.serving import environment

START_SECONDS = 30
NO_ANSWER = (http.client.RemoteDisconnected, ConnectionResetError)


class Answer(NamedTuple):
    """Hold an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class Started:
    """Hold a double that was started."""

    def __init__(self, url: str, process: subprocess.Popen[str], folder: Path) -> None:
        self.url = url
        self.process = process
        self.folder = folder

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """Return the answer to a request. Raises what http.client raises where none comes."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path, body or None, headers or {})
            found = connection.getresponse()
            return Answer(found.status, dict(found.getheaders()), found.read())
        finally:
            connection.close()

    def call(self, name: str, /, **arguments: str) -> Any:
        """Return the answer to a call."""
        return self.called(name, **arguments).json

    def called(self, name: str, /, **arguments: str) -> Answer:
        """Return the whole answer to a call."""
        query = {"api_id": PAIR.api_id, "api_key": PAIR.api_key, "call": name} | arguments
        return self.send("GET", f"/admin/api.php?{urlencode(query)}")

    def rest(self, method: str, path: str, body: Any = None) -> Answer:
        """Return the answer to a request of the REST API."""
        sent = b"" if body is None else json.dumps(body).encode()
        head = {"X-API-Secret": SECRET, "Content-Type": "application/json"}
        return self.send(method, f"/v1{path}", sent, head)

    def control(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        """Return what the control API answers, with this status if one is named."""
        sent = b"" if body is None else json.dumps(body).encode()
        answer = self.send(method, f"/_double/{path}", sent)
        wanted = (200, 204) if status is None else (status,)
        assert answer.status in wanted, answer.body
        return answer.json if answer.body else None


def command(*options: str) -> list[str]:
    """Return the words of the command."""
    return [sys.executable, "-m", "app.cli", "double", *options]


@contextmanager
def started(folder: Path, *options: str, **variables: str) -> Iterator[Started]:
    """Start a double whose temporary files are in a folder; end it."""
    port = folder / "port"
    given = environment(folder) | {"TMPDIR": str(folder)} | variables
    given.pop("PROMOBRIDGE_DATABASE_URL", None)
    words = command("--bind", "127.0.0.1:0", "--port-file", str(port), *options)
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=given,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not port.exists():
            told = (folder / "said").read_text()
            assert process.poll() is None, told
            assert time.monotonic() < end, told
            time.sleep(0.01)
        yield Started(f"http://127.0.0.1:{port.read_text().strip()}", process, folder)
    finally:
        process.terminate()
        process.wait(30)
        port.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the stubs of the double of a module: none, unless it has others."""
    return []


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, stubs: list[Path]) -> Iterator[Started]:
    """Start a double for the tests of a module."""
    given = [word for path in stubs for word in ("--stubs", str(path))]
    with started(tmp_path_factory.mktemp("double"), *given) as found:
        yield found


@pytest.fixture
def double(running: Started) -> Started:
    """Return the double of the module, as it began."""
    running.control("DELETE", "seed")
    return running


def remains(folder: Path) -> list[str]:
    """Return what doubles have left in a folder."""
    return sorted(name for name in os.listdir(folder) if name.startswith("promobridge-double"))
