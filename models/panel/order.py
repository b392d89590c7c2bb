"""The order in which promotions move here, so that no answer is stale and no code used twice.

walk, then writes through the panel, then reads in its shadow, then local reads, then local writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from models.panel import differences, routes, walks
from models.panel.routes import FORWARD, LOCAL, READS, SHADOW, WRITE_THROUGH, WRITES, PanelRoute
from models.store import clock


@dataclass(frozen=True)
class Standing:
    """Hold how far the move has come.

    `walked_at` is when the last walk of the panel began that was finished, in Unix seconds, None
    before the first. `equal` is how many answers of a call were equal in a row, by its name in
    small letters, and `needed` how many it takes. `lacking` are writes that the panel's release
    does not have.
    """

    routes: Mapping[str, PanelRoute]
    walked_at: int | None
    equal: Mapping[str, int]
    needed: int
    lacking: Collection[str] = ()

    def modes(self, names: Collection[str], mode: str) -> list[str]:
        """Return those of the calls that are in a mode."""
        return [name for name in names if self.routes[name].mode == mode]

    @property
    def bypassing(self) -> list[str]:
        """Return the writes of which this store does not hear."""
        return [name for name in self.modes(WRITES, FORWARD) if name not in self.lacking]

    def after(self, name: str, mode: str) -> Standing:
        """Return how far the move will have come when a call is routed so."""
        old = self.routes[name]
        if old.mode == mode:
            return self
        new = PanelRoute(call=old.call, mode=mode, previous=old.mode, since=clock.now())
        return replace(self, routes={**self.routes, name: new})


def standing(needed: int, lacking: Collection[str] = ()) -> Standing:
    """Return how far the move has come, by the store."""
    equal = {call: row.equal for call, row in differences.comparisons().items()}
    return Standing(routes.listed(), walks.last_begun(), equal, needed, lacking)


def objection(at: Standing, name: str, mode: str) -> str:
    """Return why it is too early to route a call so, "" when it is not."""
    if mode in (FORWARD, at.routes[name].mode):
        return ""
    if at.walked_at is None:
        return (
            "the panel's promotions have not been read over yet: run `promobridge panel walk` first"
        )
    if name in READS and at.bypassing:
        bypassing = ", ".join(at.bypassing)
        return f"this store does not hear of {bypassing}: route to {WRITE_THROUGH} first"
    if mode != LOCAL:
        return ""
    return _too_early_for_reads(at, name) if name in READS else _too_early_for_writes(at, name)


def proposal(at: Standing, name: str) -> str:
    """Return what a call can be routed to next, or what is to be done before."""
    modes = routes.MODES[name]
    following = modes[modes.index(at.routes[name].mode) + 1 :]
    if not following:
        return ""
    if name in at.lacking and at.routes[name].mode == FORWARD:
        following = (LOCAL,)
    why_not = objection(at, name, following[0])
    return f"not yet {following[0]}: {why_not}" if why_not else following[0]


def _too_early_for_reads(at: Standing, name: str) -> str:
    equal = at.equal.get(name.lower(), 0)
    if at.routes[name].mode == SHADOW and equal >= at.needed:
        return ""
    return (
        f"answers must be equal {at.needed} times in a row, and were {equal} times: "
        f"route it to {SHADOW} and see `promobridge panel diffs {name}`"
    )


def _too_early_for_writes(at: Standing, name: str) -> str:
    elsewhere = [read for read in READS if at.routes[read].mode != LOCAL]
    if elsewhere:
        return f"{', '.join(elsewhere)} would not show it: route to {LOCAL} first"
    if name not in at.lacking and at.routes[name].mode != WRITE_THROUGH:
        return f"this store does not hear of it: route it to {WRITE_THROUGH} first"
    # What is local has been looked at, and what was local before was heard of all along.
    heard = [
        route.since
        for route in map(at.routes.get, at.modes(WRITES, WRITE_THROUGH))
        if route is not None and route.previous != LOCAL
    ]
    if (at.walked_at or 0) <= max(heard, default=0):
        return (
            "what was used before this store heard of it is not counted here: "
            "run `promobridge panel walk` once more"
        )
    return ""
