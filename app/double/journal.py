"""What was asked of the double, for tests that look at what their code sent."""

from __future__ import annotations

import json
from collections import deque
from datetime import UTC, datetime
from typing import Any

from app.double.asked import Asked

MOST = 10_000
"""Requests that are kept; the oldest go."""
LONGEST = 65_536
"""Characters of the arguments of one request, as JSON; of longer ones the names alone are kept."""
MASK = "***"


class Journal:
    """Keep the newest requests, without credentials."""

    def __init__(self, hidden: tuple[str, ...] = ()) -> None:
        """Take what is hidden wherever it stands in an argument."""
        self._hidden = [json.dumps(text)[1:-1] for text in hidden if text]
        self._kept: deque[tuple[Asked, int, float]] = deque(maxlen=MOST)

    def add(self, asked: Asked, status: int, at: float) -> None:
        """Keep a request and the status of its answer, 0 for none; `at` is in Unix seconds."""
        self._kept.append((asked, status, at))

    def count(self, call: str | None = None) -> int:
        """Return how many requests are kept, of one call or endpoint where it is named."""
        return sum(call is None or asked.call == call for asked, _, _ in list(self._kept))

    def entries(self, call: str | None = None) -> list[dict[str, Any]]:
        """Return the requests in their order, of one call or endpoint where it is named."""
        return [
            {
                "at": datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
                "face": asked.face,
                "call": asked.call[:200],
                "method": asked.method,
                "path": asked.path[:200],
                "arguments": self._shown(asked),
                "status": status,
            }
            for asked, status, at in list(self._kept)
            if call is None or asked.call == call
        ]

    def _shown(self, asked: Asked) -> Any:
        text = json.dumps(asked.arguments, default=str)
        for hidden in self._hidden:
            text = text.replace(hidden, MASK)
        if len(text) > LONGEST:
            text = json.dumps({str(name)[:200]: "…" for name in list(asked.arguments)[:200]})
        return json.loads(text)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
