"""Clients that ask without a pause while something happens to the server, and keep the score."""

from __future__ import annotations

import threading
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import Self

from tests.waiting import SECONDS, wait_until


class Load:
    """Ask a target from several threads, each over one kept connection or a new one each time.

    A client that keeps its connection opens another when an answer said `Connection: close`, as
    HTTP asks; that is no failure. `pause` is how long it stays idle between two requests.
    """

    def __init__(
        self,
        address: tuple[str, int],
        target: str,
        *,
        clients: int = 4,
        keep: bool = True,
        pause: float = 0.0,
    ) -> None:
        self.address = address
        self.target = target
        self.keep = keep
        self.pause = pause
        self.answers = 0
        self.failures: Counter[str] = Counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def answered(self, more: int) -> None:
        """Wait for so many more answers, or for a failure."""
        wanted = self.answers + more
        wait_until(
            lambda: self.answers >= wanted or self.failures,
            why=lambda: f"{self.answers} answers of {wanted}",
        )

    def _ask(self) -> None:
        connection = HTTPConnection(*self.address, timeout=SECONDS)
        while not self._stop.is_set():
            try:
                connection.request("GET", self.target)
                answer = connection.getresponse()
                good = answer.status == 200 and b'"success":true' in answer.read()
                closing = answer.will_close
            except (OSError, HTTPException) as problem:
                self._note(f"{type(problem).__name__} {problem}")
                connection.close()
                continue
            self._note("" if good else f"status {answer.status}")
            if closing or not self.keep:
                connection.close()
            if self.pause:
                self._stop.wait(self.pause)
        connection.close()

    def _note(self, failure: str) -> None:
        with self._lock:
            if failure:
                self.failures[failure] += 1
            else:
                self.answers += 1
