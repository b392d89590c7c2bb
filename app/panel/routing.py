"""Which calls are answered here, and which go to the panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar

from flask import current_app

import calls
from models.panel import routes
from models.panel.routes import FORWARD, LOCAL
from models.store import clock
from models.store.base import change, retried

FRESH_SECONDS = 0.5
"""How long a process goes by its copy of the routes: a switch is in force within a second."""
Result = TypeVar("Result")


class Rerouted(Exception):
    """Say that the call is answered otherwise by now."""


class Routes:
    """Hold a process's copy of the routes."""

    def __init__(self) -> None:
        self._kept: Mapping[str, str] = {}
        self._old_at = 0.0

    def mode(self, name: str) -> str:
        """Return the mode of a promotion call."""
        if clock.elapsed() >= self._old_at:
            # Before it is read: what is written meanwhile is not taken for fresh.
            old_at = clock.elapsed() + FRESH_SECONDS
            self._kept = routes.modes()
            self._old_at = old_at
        return self._kept.get(name.lower(), FORWARD)

    def read_again(self) -> None:
        """Read the routes anew at the next call."""
        self._old_at = 0.0


def plain(name: str) -> str:
    """Return the name of one of our calls as we write it; the panel reads names without case."""
    return _names().get(name.lower(), name)


def mode(name: str) -> str:
    """Return how a call is answered: extensions here, what has no route by the panel."""
    found = calls.registry().get(plain(name))
    if found is None:
        return FORWARD
    if found.extension:
        return LOCAL
    return copy().mode(found.name) if found.name in routes.MODES else FORWARD


def copy() -> Routes:
    """Return the copy of this process."""
    found: Routes = current_app.config["ROUTES"]
    return found


def is_forwarded(name: str) -> bool:
    """Tell whether a call goes to the panel."""
    return mode(name) != LOCAL


@retried
def kept_local(name: str, run: Callable[[], Result]) -> Result:
    """Run a local write in the transaction that holds its route. Raises Closed and Rerouted."""
    with change():
        if routes.of_write(name).mode != LOCAL:
            raise Rerouted
        return run()


@cache
def _names() -> Mapping[str, str]:
    return {name.lower(): name for name in calls.registry()}
