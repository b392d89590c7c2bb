"""Calls without a right key, counted: many of them are few rows of the usage log."""

from __future__ import annotations

from app.limits import MINUTE, NOWHERE, network
from models.access.usage import Entry
from models.store import clock


class Strangers:
    """Count the calls of a minute by API ID and address, so that many of them are few rows.

    What is over `most` pairs of these is counted together.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.clear()

    def clear(self) -> None:
        """Forget all; the next call begins a minute."""
        self._groups: dict[tuple[str, str], tuple[Entry, int]] = {}
        self._ends = 0.0

    def add(self, entry: Entry) -> None:
        """Count a call."""
        if not self._groups:
            self._ends = clock.elapsed() + MINUTE
        group = entry.api_id, network(entry.address)
        if group not in self._groups and len(self._groups) >= self.most:
            group = "", NOWHERE
        first, count = self._groups.get(group, (entry, 0))
        self._groups[group] = first, count + 1

    @property
    def calls(self) -> int:
        """Return how many calls are counted."""
        return sum(count for _, count in self._groups.values())

    def is_over(self) -> bool:
        """Tell whether there are calls whose minute has ended."""
        return bool(self._groups) and clock.elapsed() >= self._ends

    def entries(self) -> list[Entry]:
        """Return an entry for each group: the call itself, or how many there were."""
        return [
            first
            if count == 1
            else Entry(
                first.at,
                "",
                f"calls without a right key: {count}",
                api_id,
                False,
                "" if address == NOWHERE else address,
            )
            for (api_id, address), (first, count) in self._groups.items()
        ]
