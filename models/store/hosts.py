"""Order the servers of one store: those that were away are tried last."""

from __future__ import annotations

from collections.abc import Sequence

from models.store import clock

REST_SECONDS, LONGEST_REST_SECONDS = 5.0, 60.0
"""How long a server that was away is asked last: twice as long each time it still is."""
Place = tuple[str, int]


class Hosts:
    """Remember for one process which of the servers were away. A place is a name and a port."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = tuple(places)
        self._away: dict[Place, tuple[float, float]] = {}

    def in_order(self) -> list[Place]:
        """Return all places: the first that is not known to be away comes first."""
        return sorted(self.places, key=self.is_away)

    def is_away(self, place: Place | None) -> bool:
        """Tell whether the place was away a short time ago."""
        return place in self._away and clock.elapsed() < self._away[place][0]

    def left(self, place: Place | None) -> None:
        """Remember that a place is away; several who notice it at once count as one."""
        if place in self.places and not self.is_away(place):
            _, rest = self._away.get(place, (0.0, REST_SECONDS / 2))
            rest = min(rest * 2, LONGEST_REST_SECONDS)
            self._away[place] = (clock.elapsed() + rest, rest)

    def met(self, place: Place | None) -> None:
        """Forget that a place was away."""
        if place in self._away:
            self._away.pop(place, None)
