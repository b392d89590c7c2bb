"""A receiver of webhooks: a real server over loopback that behaves as each path says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.0/8"


@dataclass
class Received:
    """Hold one request; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as what it says."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """Keep what came; `statuses` are the next answers, 200 when they are used up.

    The path /hang answers when `let_go` is set, /lost closes the connection instead. `before` and
    `after` are called with the number of the request when it has come and when it is answered.
    """

    url: str = ""
    received: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    let_go: threading.Event = field(default_factory=threading.Event)
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    before: Callable[[int], object] = lambda number: None
    after: Callable[[int], object] = lambda number: None

    def ids(self, path: str = "/") -> list[str]:
        """Return the ids of the events that came to a path, in their order."""
        return [each.headers["webhook-id"] for each in list(self.received) if each.path == path]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with kept.lock:
                kept.received.append(Received(self.path, headers, body))
                kept.under_way += 1
                kept.most_under_way = max(kept.most_under_way, kept.under_way)
                status = kept.statuses.pop(0) if kept.statuses else 200
                number = len(kept.received)
            kept.before(number)
            if self.path == "/hang":
                kept.let_go.wait(60)
            with kept.lock:
                kept.under_way -= 1
            if self.path == "/lost":
                return
            with suppress(ConnectionError):
                self.send_response(status)
                for name, value in kept.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.wfile.flush()
            kept.after(number)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield kept
        finally:
            kept.let_go.set()
            server.shutdown()
            thread.join()
