"""All that a double holds, and how it goes back to what it began with."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app import create_app
from app.config import Settings
from app.double import seed
from app.double.chance import GivenSource
from app.double.faults import Faults
from app.double.journal import Journal
from app.double.memory import Memory
from app.double.seed import Credentials
from app.double.store import Store
from app.double.stub_files import load
from app.double.stubs import Stubs
from app.limits import Limits, MemoryCounter
from app.usage_log import UsageLog
from calls.rendering.batch_json import FragmentCache
from models.store import clock
from models.store.base import database

EMPTY, STARTED, SOWN = "empty", "started", "sown"
"""The snapshots of a store with the credentials alone, the seed of the start, and a later one."""


@dataclass(frozen=True)
class Wishes:
    """Hold what a double is started with; without a seed it has the sample, unless `empty`."""

    seed: Path | None = None
    empty: bool = False
    stubs: Sequence[Path] = ()
    strict: bool = False
    credentials: Credentials = field(default_factory=Credentials)
    frozen: float | None = None
    random_seed: int | None = None


class Gate:
    """Let requests in side by side, and what replaces the store alone."""

    def __init__(self) -> None:
        self._entry = threading.Lock()
        self._inside = 0
        self._changed = threading.Condition()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Be one of the requests under way."""
        with self._entry, self._changed:
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait for the requests under way; later ones wait for the end of this."""
        with self._entry:
            with self._changed:
                self._changed.wait_for(lambda: not self._inside)
            yield


class Double:
    """Hold the application over a store of its own, its clock, stubs, faults and journal."""

    def __init__(self, settings: Settings, wishes: Wishes) -> None:
        """Make all of it. Raises BadSetting for a seed or stubs of no use."""
        self.credentials = wishes.credentials
        self._memories: dict[str, Memory] = {}
        self.over = threading.Event()
        stubs, self.warnings = load(wishes.stubs)
        given = None if wishes.seed is None else seed.read(wishes.seed)
        self.clock = GivenSource(wishes.frozen, wishes.random_seed)
        clock.replace_source(self.clock)
        self.store = Store(settings)
        try:
            self.store.make()
            self.settings = replace(settings, database_url=self.store.url)
            self.app = create_app(self.settings)
            self.stubs = Stubs(stubs, wishes.strict)
            self.faults = Faults(self.clock.chance)
            pair = self.credentials.pair
            self.journal = Journal((pair.api_key, self.credentials.secret))
            self.gate = Gate()
            database.initialize(self.store.engine)
            with database.connection_context():
                seed.admit(self.credentials)
            self.store.snapshot(EMPTY)
            self._sow({} if wishes.empty else given, STARTED)
        except BaseException:
            self.remove()
            raise

    def reset(self, to_start: bool = False) -> None:
        """Go back to the seed, with the time, the chance and the stubs of the start.

        `to_start` goes back to the seed of the start where another was stored since.
        """
        self.faults.delete()  # first, so that none delays a request over the end of its test
        with self.gate.alone():
            if to_start:
                self._seed = STARTED
            self._restore(self._seed)
            self.clock.reset(self._seed)
            self.stubs.reset()
            self.journal.clear()

    def sow(self, given: Mapping[str, Any]) -> None:
        """Empty the store and store a seed, which is gone back to from now on.

        Raises BadSetting, and has the seed of before then.
        """
        with self.gate.alone():
            try:
                self._restore(EMPTY)
                self._sow(given, SOWN)
            except BaseException:
                self._restore(self._seed)
                raise

    def snapshot(self) -> str:
        """Keep what is stored and return its name. Raises Invalid for too many."""
        with self.gate.alone():
            self.write_log()
            name = self.store.snapshot()
            self._memories[name] = self.stubs.memory.copy()
            return name

    def restore(self, name: str) -> None:
        """Go back to what was stored. Raises Invalid when there is no such snapshot.

        Requests that a fault delays are dropped; `over` is set for them.
        """
        with self.gate.alone():
            self._restore(name)

    @contextmanager
    def new_time(self) -> Iterator[None]:
        """Let the clock be set, with no request under way, and forget what went by the other."""
        with self.gate.alone():
            yield
            self._forget()

    def write_log(self) -> None:
        """Write the usage log, which waits in memory and uses the store."""
        self.app.config["USAGE_LOG"].close()

    def _restore(self, name: str) -> None:
        self.write_log()
        self.store.restore(name)
        self.stubs.memory = self._memories.get(name, Memory()).copy()
        self.over.set()
        self.over = threading.Event()
        self._forget()

    def _forget(self) -> None:
        """Empty every cache of the application, and forget counts and lockouts."""
        self.write_log()
        config = self.app.config
        config["USAGE_LOG"] = UsageLog(self.settings)  # it knows when it last dropped old calls
        config["FRAGMENTS"] = FragmentCache(self.settings.fragment_cache_bytes)
        config["LIMITS"] = Limits(self.settings, MemoryCounter())

    def remove(self) -> None:
        """End, and remove the store."""
        self.store.remove()
        clock.replace_source(clock.Source())

    def _sow(self, given: Mapping[str, Any] | None, name: str) -> None:
        if given is None:
            seed.sow_sample(self.app, self.settings)
        elif given:
            seed.sow(self.app, self.settings, given, self.credentials.secret)
        self.write_log()
        self.store.snapshot(name)
        self.clock.mark(name)
        self._seed = name
        self._forget()
