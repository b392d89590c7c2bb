"""Retry SELECT and BEGIN on a new connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from peewee import Database, PeeweeException

from models.store import clock

PAUSE_SECONDS = 0.2


class Reconnecting(Database):
    """Ask again what only reads, or begins a transaction, when its connection is of no use.

    What happens inside a transaction is for `models.store.base.change` to run again, as a whole.
    """

    wait_seconds: int
    snapshot_mode: str
    manual_close: Callable[[], Any]  # the pool's
    _state: Any
    of_no_use: frozenset[Any] = frozenset()
    """The codes of errors after which another connection may fare better."""

    def leave(self, problem: BaseException) -> bool:
        """Close this thread's connection if the problem says that it is of no use; tell whether."""
        if self.is_closed():
            return False
        if not self._broken() and not any(
            self._code(each) in self.of_no_use for each in causes(problem)
        ):
            return False
        contexts = self._state.ctx
        self.manual_close()
        self._state.ctx = contexts
        return True

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Open this thread's connection; what was begun with another one can end with it.

        It can end without any, too, where none can be opened.
        """
        contexts = self._state.ctx
        try:
            return bool(super().connect(reuse_if_open))
        finally:
            self._state.ctx = contexts

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a statement and return its cursor."""
        if self.in_transaction() or not sql.startswith("SELECT"):
            return super().execute_sql(sql, params)
        return self._until_it_works(lambda: super(Reconnecting, self).execute_sql(sql, params))

    def snapshot(self) -> Any:
        """Open a transaction that only reads."""
        return self.atomic(self.snapshot_mode)

    def begin(self, *mode: Any) -> None:
        """Begin a transaction."""
        self._until_it_works(lambda: super(Reconnecting, self).begin(*mode))

    def _until_it_works(self, run: Callable[[], Any]) -> Any:
        end = clock.elapsed() + self.wait_seconds
        while True:
            try:
                return run()
            except PeeweeException as problem:
                # A node that has just left its cluster says that it waited too long for the others.
                again = self.leave(problem) or self.gives_up(problem)
                if not again or clock.elapsed() > end:
                    raise
            clock.pause(PAUSE_SECONDS)

    def gives_up(self, problem: BaseException) -> bool:
        """Tell whether a transaction was ended for the sake of another."""
        raise NotImplementedError

    def _broken(self) -> bool:
        """Tell whether the driver has closed this thread's connection."""
        raise NotImplementedError

    def _code(self, problem: BaseException) -> Any:
        """Return the engine's code of an error."""
        raise NotImplementedError


def causes(problem: BaseException) -> Iterator[BaseException]:
    """Yield an error of the driver and those in whose wake it came.

    A savepoint cannot be undone in a transaction that is over: that error hides the telling one.
    """
    at: BaseException | None = problem
    while isinstance(at, Exception):
        yield at
        at = at.__context__
