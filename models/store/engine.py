"""Base classes of the database engines, and retries on servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Self

from peewee import Database, PeeweeException
from playhouse.pool import PooledDatabase

from models.store import clock

PAUSE_SECONDS = 0.2


class Engine(PooledDatabase, Database):
    """Define what engines implement; the defaults are for one without conflicts."""

    wait_seconds = 0
    """How long a writer waits for another one."""
    one_writer = False
    """Whether a transaction that writes keeps all others waiting."""
    last_id_sql: str
    whole_division = "/"
    """The operator by which whole numbers are divided to a whole number."""

    def waiting(self, seconds: int) -> Self:
        """Set how long a writer waits for another one, and return the engine."""
        self.wait_seconds = seconds
        return self

    def snapshot(self) -> AbstractContextManager[Any]:
        """Open a transaction that only reads and sees one state of the store."""
        raise NotImplementedError

    def ended_for_another(self, problem: BaseException) -> bool:
        """Tell whether the engine ended a transaction for the sake of another one."""
        return False

    def close_broken(self, problem: BaseException) -> bool:
        """Close this thread's connection if the error broke it; tell whether."""
        return False

    def reserve_ids(self, table: str, last: int) -> None:
        """Number new rows above an id that was inserted; most engines do so themselves."""

    def last_id(self, table: str) -> int:
        """Return the highest id that was ever given to a row of a table, 0 for none."""
        found = self.execute_sql(self.last_id_sql, (table,)).fetchone()
        return (found and found[0]) or 0

    def number_above(self, table: str, last: int) -> None:
        """Number new rows above an id, or above a higher one that was given; no row needs it.

        Not inside a transaction: one of the engines would end it.
        """
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the database fit for the tables."""


class Server(Engine):
    """Retry SELECT and BEGIN on a new connection when the old one is broken.

    What happens inside a transaction is for `models.store.base.change` to run again, as a whole.
    """

    snapshot_mode: str
    share_lock = "FOR SHARE"
    """How a query keeps the rows that it finds as they are."""
    _state: Any
    conflict_codes: frozenset[Any]
    """The codes of errors after which a transaction can be run again."""
    lost_codes: frozenset[Any]
    """The codes of errors after which another connection may succeed."""

    def ended_for_another(self, problem: BaseException) -> bool:
        """Tell whether the engine ended a transaction for the sake of another one."""
        return self._has_code(problem, self.conflict_codes)

    def close_broken(self, problem: BaseException) -> bool:
        """Close this thread's connection if the error broke it; tell whether."""
        if self.is_closed() or not (
            self._is_broken(self.connection()) or self._has_code(problem, self.lost_codes)
        ):
            return False
        contexts = self._state.ctx
        self.manual_close()
        self._state.ctx = contexts
        return True

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Open this thread's connection, or raise; contexts opened with the last one stay valid."""
        contexts = self._state.ctx
        try:
            return bool(super().connect(reuse_if_open))
        finally:
            self._state.ctx = contexts

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a statement and return its cursor."""
        if self.in_transaction() or not sql.startswith("SELECT"):
            return super().execute_sql(sql, params)
        return self._retried(lambda: super(Server, self).execute_sql(sql, params))

    def snapshot(self) -> AbstractContextManager[Any]:
        """Open a transaction that only reads and sees one state of the store."""
        return self.atomic(self.snapshot_mode)

    def begin(self, *mode: Any) -> None:
        """Begin a transaction."""
        self._retried(lambda: super(Server, self).begin(*mode))

    def _retried(self, run: Callable[[], Any]) -> Any:
        end = clock.elapsed() + self.wait_seconds
        while True:
            try:
                return run()
            except PeeweeException as problem:
                # A node that has just left its cluster says that it waited too long for the others.
                again = self.close_broken(problem) or self.ended_for_another(problem)
                if not again or clock.elapsed() > end:
                    raise
            clock.pause(PAUSE_SECONDS)

    def _has_code(self, problem: BaseException, codes: frozenset[Any]) -> bool:
        return any(_code(each) in codes for each in _causes(problem))

    def _is_broken(self, connection: Any) -> bool:
        """Tell whether the driver has closed a connection."""
        raise NotImplementedError


def _code(problem: BaseException) -> Any:
    """Return the code that PostgreSQL or MariaDB gave an error."""
    return getattr(problem, "sqlstate", None) or (problem.args[0] if problem.args else None)


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors in whose handling it was raised.

    A savepoint cannot be undone in a transaction that is over: that error hides the first one.
    """
    at: BaseException | None = problem
    while isinstance(at, Exception):
        yield at
        at = at.__context__
