"""Learn pairs that the panel knows: it is asked, for as long as the operator said.

It is asked for its calls, which changes nothing: what the caller wants done is still sent once.
"""

from __future__ import annotations

import threading

from app.limits import Limits, TooMany
from app.panel.client import Panel
from models.access.accesses import PAIR_PATTERN, Access, Pair
from models.panel import learning
from models.store.base import database

HARMLESS = "getAPIMethods"
TURN_SECONDS = 1
_turn = threading.Lock()
"""One pair at a time is tried in a process: those that come together do not use up the tries."""


class Learner:
    """Learn pairs and addresses of callers at one address."""

    def __init__(self, panel: Panel, limits: Limits, address: str) -> None:
        self._panel, self._limits, self._address = panel, limits, address

    def pair(self, pair: Pair) -> Access | None:
        """Return the access of an unknown pair that the panel knows; None if it is not learned.

        Raises TooMany for who is locked out and while no pair may be tried, and PanelProblem.
        """
        if not learning.goes_on_for(self._address):
            return None
        self._limits.may_guess(self._address, pair.api_id)
        if not PAIR_PATTERN.fullmatch(pair.api_id) or learning.is_taken(pair.api_id):
            return None
        if not _turn.acquire(timeout=TURN_SECONDS):
            raise TooMany(TURN_SECONDS)
        try:
            return self._tried(pair)
        finally:
            _turn.release()

    def address(self, access: Access) -> Access:
        """Let a provisional access in from this address too, if pairs from here are learned."""
        if access.learned_until is None or access.admits(self._address):
            return access
        if learning.goes_on_for(self._address):
            return learning.note_address(access, self._address)
        return access

    def _tried(self, pair: Pair) -> Access | None:
        if seconds := learning.take_try():
            raise TooMany(seconds)
        database.close()  # the panel may take its time
        is_refused = False
        try:
            answer = self._panel.ask(HARMLESS, {}, pair)
            is_refused = answer.get("success") is not True
        finally:
            database.connect(reuse_if_open=True)
            if not is_refused:
                learning.give_back_try()
        return None if is_refused else learning.register(pair, self._address)
