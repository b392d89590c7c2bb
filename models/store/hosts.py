"""Order the servers of one store: those that were unreachable are tried last."""

from __future__ import annotations

from collections.abc import Sequence

from models.store import clock

REST_SECONDS, LONGEST_REST_SECONDS = 5.0, 60.0
"""How long an unreachable server is tried last: twice as long each time it still is, at most."""
Address = tuple[str, int]


class Hosts:
    """Remember which servers were unreachable. An address is a name and a port."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = tuple(addresses)
        self._away: dict[Address | None, tuple[float, float]] = {}

    def in_order(self) -> list[Address]:
        """Return all addresses, those known to be unreachable last."""
        return sorted(self.addresses, key=self.is_away)

    def is_away(self, address: Address | None) -> bool:
        """Tell whether a server was unreachable a short time ago."""
        return clock.elapsed() < self._away.get(address, (0.0, 0.0))[0]

    def mark_away(self, address: Address | None) -> None:
        """Remember that a server is unreachable; concurrent reports count as one."""
        if address in self.addresses and not self.is_away(address):
            _, rest = self._away.get(address, (0.0, REST_SECONDS / 2))
            rest = min(rest * 2, LONGEST_REST_SECONDS)
            self._away[address] = (clock.elapsed() + rest, rest)

    def mark_reachable(self, address: Address | None) -> None:
        """Remember that a server can be reached."""
        self._away.pop(address, None)
