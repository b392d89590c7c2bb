"""What was asked of the double, for tests that look at what their code sent."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.double.asked import Asked
from models.access import secrets

MOST = 10_000
"""Requests that are kept; the oldest go."""
LONGEST = 65_536
"""Characters of the arguments of one request, as JSON; of longer ones some names alone are kept."""
TOTAL = 67_108_864
"""Characters of the arguments of all requests; the oldest go."""
MASK = "***"
_NAMED = re.compile(r"(x[_-])?api[_ .-]?(id|key|secret)", re.IGNORECASE)
"""Names that credentials are sent by, also where nobody reads them."""


class Entry(NamedTuple):
    """Hold a request as it is shown, without arguments, and these as JSON text."""

    shown: dict[str, Any]
    arguments: str

    def answer(self, status: int) -> None:
        """Note the status of the answer, which is 0 as long as there is none."""
        self.shown["status"] = status


class Journal:
    """Keep the newest requests, without credentials."""

    def __init__(self, hidden: tuple[str, ...] = ()) -> None:
        """Take what is hidden wherever it stands, as every secret of the REST API is."""
        texts = sorted(map(re.escape, filter(None, hidden)), key=len, reverse=True)
        self._secret = re.compile("|".join([*texts, secrets.SECRET.pattern]))
        self._lock = threading.Lock()
        self.clear()

    def add(self, asked: Asked, at: float) -> Entry:
        """Keep a request, which has no answer yet, and return its entry; `at` is Unix seconds."""
        text = json.dumps(self._masked(asked.arguments), default=str)
        if len(text) > LONGEST:
            names = list(asked.arguments)[:200]
            text = json.dumps({self._masked(name)[:200]: "…" for name in names})
        shown = {
            "at": datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
            "face": asked.face,
            "call": self._masked(asked.call)[:200],
            "method": asked.method[:200],
            "path": self._masked(asked.path)[:200],
            "status": 0,
        }
        entry = Entry(shown, text)
        with self._lock:
            self._kept.append(entry)
            self._size += len(text)
            while len(self._kept) > MOST or self._size > TOTAL:
                self._size -= len(self._kept.popleft().arguments)
        return entry

    def count(self, call: str | None = None) -> int:
        """Return how many requests are kept, of one call or endpoint where it is named."""
        return len(self._of(call))

    def entries(self, call: str | None = None) -> list[dict[str, Any]]:
        """Return the requests in their order, of one call or endpoint where it is named."""
        return [each.shown | {"arguments": json.loads(each.arguments)} for each in self._of(call)]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept: deque[Entry] = deque()
            self._size = 0

    def _of(self, call: str | None) -> list[Entry]:
        with self._lock:
            kept = list(self._kept)
        if call is None:
            return kept
        return [each for each in kept if each.shown["call"].lower() == call.lower()]

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._secret.sub(MASK, value)
        if isinstance(value, Mapping):
            return {
                self._masked(str(name)): MASK if _NAMED.fullmatch(str(name)) else self._masked(each)
                for name, each in value.items()
            }
        return [self._masked(each) for each in value] if isinstance(value, list) else value
