"""promobridge in front of a panel: in this process, and what stands in a panel's place."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.config import Settings
from app.exchange import saved_answers
from app.panel.routing import Routes
from models.access import accesses
from models.access.accesses import Pair
from models.panel import routes
from models.store.base import database
from tests.panel.php_panel import PhpPanel

API = "/admin/api.php"
PLAIN_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: 16\r\n"
    b'Connection: close\r\n\r\n{"success":true}'
)


@contextmanager
def in_front(store: Settings, panel: PhpPanel | None = None, **settings: Any) -> Iterator[Flask]:
    """Make the application in front of a panel, whose pair it knows, or of another URL."""
    if panel is not None:
        settings = {"panel_url": panel.url, "panel_ca": str(panel.ca)} | settings
        accesses.add("tests", Pair(panel.api_id, panel.api_key))
    # How long a busy machine takes to connect is not what these tests ask.
    made = create_app(replace(store, **{"panel_connect_seconds": 60} | settings))
    try:
        yield made
    finally:
        made.config["USAGE_LOG"].close()
        database.close_all()


@dataclass
class Front:
    """Hold the application, its panel, and a client that sends the panel's own pair."""

    app: Flask
    panel: PhpPanel
    folder: Path

    @property
    def client(self) -> FlaskClient:
        """Return a client, one for each thread that asks."""
        return self.app.test_client()

    def register(self, api_id: str, api_key: str) -> None:
        """Register a further pair here."""
        accesses.add("another", Pair(api_id, api_key))

    def without_credentials(self) -> Settings:
        """Return the settings without a pair of our own at the panel."""
        settings: Settings = self.app.config["SETTINGS"]
        return replace(settings, panel_credentials_file="")

    def send(self, call: str, **arguments: Any) -> TestResponse:
        """POST a call with the pair of the panel's access."""
        data = self.panel.credentials | {"call": call, **arguments}
        return self.client.post(API, data=data, buffered=True)

    def ask(self, call: str, **arguments: Any) -> Any:
        """Return the answer to a call."""
        return self.send(call, **arguments).json

    def route(self, mode: str, *names: str, enforced: bool = False) -> None:
        """Route calls, in force at once."""
        for name in names:
            routes.switch(name, mode, enforced)
        copy: Routes = self.app.config["ROUTES"]
        copy.read_again()

    def take_over(self, *codes: str) -> None:
        """Read codes over by their details."""
        taken_over(self.panel, self.folder, *codes)


def taken_over(panel: PhpPanel, folder: Path, *codes: str) -> None:
    """Store codes of the panel by their details, as codes that stand alone."""
    for code in codes:
        answer = panel.ask("getPromoDetailsByCode", {"code": code}).value
        answer["coupon"] |= {"batch_id": "0"}
        file = folder / "details.json"
        file.write_text(json.dumps(answer))
        saved_answers.store_files([str(file)])


def settings_for(store: Settings, panel: PhpPanel, folder: Path) -> dict[str, Any]:
    """Return the settings that name a panel, and a file with our own pair there."""
    file = folder / "pair"
    file.touch(0o600)
    file.write_text("\n".join(panel.access()))
    return {
        "panel_url": panel.url,
        "panel_ca": str(panel.ca),
        "panel_credentials_file": str(file),
        "panel_equal_answers": 3,
    }


def register(panel: PhpPanel) -> None:
    """Register the pair of the panel's access here."""
    accesses.add("tests", Pair(panel.api_id, panel.api_key))


@dataclass
class Stub:
    """Stand in a panel's place: keep the bytes of each request, answer the same bytes to all."""

    answer: bytes | Callable[[socket.socket], None] = PLAIN_ANSWER
    requests: list[bytes] = field(default_factory=list)
    port: int = 0
    pause: float = 0
    """Seconds that it waits before it reads a request."""
    closed: int = 0
    """How many connections it has closed."""

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"http://127.0.0.1:{self.port}/admin/api.php"

    def head(self, number: int = -1) -> list[bytes]:
        """Return the lines before the body of a request."""
        return self.requests[number].partition(b"\r\n\r\n")[0].split(b"\r\n")

    def body(self, number: int = -1) -> bytes:
        """Return the body of a request."""
        return self.requests[number].partition(b"\r\n\r\n")[2]

    def serve(self, listening: socket.socket) -> None:
        """Take connections until the socket is closed."""
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        asked = b""
        with connection, suppress(OSError):
            time.sleep(self.pause)
            asked = _request(connection)
            if asked:
                self.requests.append(asked)
                if callable(self.answer):
                    self.answer(connection)
                else:
                    connection.sendall(self.answer)
        self.closed += bool(asked)


@contextmanager
def stub(answer: bytes | Callable[[socket.socket], None] = PLAIN_ANSWER) -> Iterator[Stub]:
    """Run a stub on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = Stub(answer, port=listening.getsockname()[1])
        threading.Thread(target=running.serve, args=(listening,), daemon=True).start()
        yield running
        listening.shutdown(socket.SHUT_RDWR)


def _request(connection: socket.socket) -> bytes:
    asked = bytearray()
    while b"\r\n\r\n" not in asked:
        piece = connection.recv(65536)
        if not piece:
            return b""
        asked += piece
    head = bytes(asked).partition(b"\r\n\r\n")[0].lower()
    length = 0
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(asked) < len(head) + 4 + length:
        asked += connection.recv(65536)
    return bytes(asked)
