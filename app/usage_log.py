"""Buffer the API usage log of one process in memory; a thread writes it to the store."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections import deque
from multiprocessing.util import Finalize
from time import perf_counter

import calls
from app import logs, metrics
from app.config import Settings
from app.limits import LONGEST_ADDRESS
from app.pruning import prune
from app.strangers import Strangers
from models.access import call_names, refused_tries, usage
from models.access.refused_tries import Try
from models.access.usage import Entry
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.base import database
from models.store.errors import AWAY, Busy
from models.store.texts import TYPED_LENGTH

CLOSE_SECONDS = 10
"""How long the end of a process waits for what is not written yet."""
PRUNE_SECONDS = 3600
PRUNES = 100
"""How many times old rows are deleted after one flush at most."""
TRIES = 1000
"""Refused tries that wait in memory at most."""
TOO_MANY = "too_many_requests"
"""The message of a call over a limit."""
_KEY = re.compile("[0-9A-Fa-f]{16,}")
log = logging.getLogger(__name__)


class UsageLog:
    """Buffer entries in memory and write them every few seconds, or when it is half full.

    Calls of unknown ids, and those that a lockout refused, are counted and written once a minute.
    Entries over `rows`, and those that cannot be written, are dropped; `dropped` counts them.
    """

    def __init__(self, settings: Settings) -> None:
        self.seconds = min(settings.usage_log_seconds, threading.TIMEOUT_MAX)
        self.rows = settings.usage_log_rows
        self.stranger_rows = settings.usage_log_stranger_rows
        self.days = settings.usage_log_days
        self.audit_days = settings.audit_days
        self.tries_a_day = settings.refused_tries_per_day
        self.dropped = 0
        self._half = max(1, self.rows // 2)
        # Strangers cannot keep out the calls of those with a key.
        self._most_unproven = self.rows - self.rows // 4
        self._lock = threading.Lock()
        self._pid = 0
        self._prune_at = 0.0
        self._reset()

    @property
    def waiting(self) -> int:
        """Return how many calls are neither written nor counted yet."""
        return len(self._entries) + len(self._taken)

    def put(self, entry: Entry) -> None:
        """Log one call."""
        if self._pid != os.getpid():  # a thread does not live on in a forked process
            self._start()
        waiting = self.waiting
        if waiting >= (self.rows if entry.proven else self._most_unproven):
            self._drop(1)
            return
        self._entries.append(entry)
        if waiting >= self._half and not self._away:
            self._wake.set()

    def put_try(self, refused: Try) -> None:
        """Keep a refused try of a code until it is written; of too many the oldest go."""
        if self._pid != os.getpid():
            self._start()
        self._tries.append(refused)

    def close(self) -> None:
        """Write what is left and stop; a later `put` starts again."""
        if self._pid != os.getpid():
            return
        self._stop.set()
        self._wake.set()
        self._thread.join(CLOSE_SECONDS)
        self._at_exit.cancel()
        self._pid = 0
        lost = self.waiting + self._strangers.calls
        if lost:
            self._drop(lost)
            log.error("The usage log ends without its last calls: %d", lost)

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._reset()
            self._thread = threading.Thread(target=self._run, name="usage log", daemon=True)
            self._thread.start()
            # Unlike atexit it runs where granian's workers end, and never in a forked process.
            self._at_exit = Finalize(None, self.close, exitpriority=0)
            self._pid = os.getpid()

    def _reset(self) -> None:
        """Empty the buffer after a fork: the parent process writes its own entries."""
        self._entries: deque[Entry] = deque()
        self._taken: list[Entry] = []
        self._tries: deque[Try] = deque(maxlen=TRIES)
        self._strangers = Strangers(self.stranger_rows)
        self._told = self.dropped
        self._store = database.obj
        self._away = False
        self._wake = threading.Event()
        self._stop = threading.Event()

    def _drop(self, count: int) -> None:
        with self._lock:
            self.dropped += count
        metrics.DROPPED.inc(count)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(self.seconds)
            self._wake.clear()
            self._flush()
            metrics.WAITING.set(self.waiting)
        self._flush(is_last=True)  # with what came while the one before was under way

    def _flush(self, is_last: bool = False) -> None:
        self._taken += [self._entries.popleft() for _ in range(len(self._entries))]
        if database.obj is not self._store:
            self._taken.clear()  # this process turned to another store, as the next test does
            self._tries.clear()
            self._strangers.clear()
            return
        is_turn = is_last or self._strangers.is_over()
        has_news = self._taken or self._tries or self._told != self.dropped or is_turn
        if not has_news and clock.elapsed() < self._prune_at:
            return
        try:
            with database.connection_context():
                self._write(is_turn)
                self._write_tries()
                self._prune()
            self._away = False
        except (*AWAY, Busy) as problem:
            self._away = True
            log.warning(
                "The usage log cannot be written (%s); calls that wait: %d, dropped: %d",
                type(problem).__name__,
                len(self._taken),
                self.dropped,
            )
        except Exception as problem:  # noqa: BLE001  # the thread must live on
            # These entries would fail again and keep all later ones out.
            self._drop(len(self._taken) + self._strangers.calls)
            self._taken.clear()
            self._strangers.clear()
            log.error("The usage log could not be written: %s", logs.place(problem))

    def _write(self, is_strangers_turn: bool) -> None:
        """Write the buffered entries, and log how many were dropped since the last time."""
        kept = []
        for entry in usage.identified(self._taken):
            # What is done for a request must not depend on whether its id exists: it is asked here.
            if entry.proven or (entry.api_id and entry.message != TOO_MANY):
                kept.append(entry)
            else:
                self._strangers.add(entry)
        self._taken = kept  # only now: until they are counted they are waiting
        entries = _named(kept)
        if is_strangers_turn:
            entries += self._strangers.entries()
        dropped = self.dropped
        if dropped != self._told:
            message = f"calls that were not logged: {dropped - self._told}"
            log.warning("The usage log has a gap; %s", message)
            entries.append(Entry(clock.now(), "", message, "", False, ""))
        if entries:
            usage.write(entries)
        self._taken.clear()
        if is_strangers_turn:
            self._strangers.clear()
        self._told = dropped

    def _write_tries(self) -> None:
        """Write the refused tries; those that a store does not take are not tried again."""
        tries = [self._tries.popleft() for _ in range(len(self._tries))]
        if tries:
            refused_tries.write(tries, self.tries_a_day)

    def _prune(self) -> None:
        """Delete rows past their days, once an hour and a bounded number."""
        if clock.elapsed() < self._prune_at:
            return
        for _ in range(PRUNES):
            if self._stop.is_set():
                return
            if prune(self.days, self.audit_days):
                self._prune_at = clock.elapsed() + PRUNE_SECONDS
                return


def _named(entries: list[Entry]) -> list[Entry]:
    """Return calls with the names that are told apart; the others are `OTHER`."""
    foreign = {each.call for each in entries if _is_foreign(each.call)}
    if not foreign:
        return entries.copy()
    names = call_names.admitted(foreign)
    metrics.NAMES.update(sorted(names - metrics.NAMES)[: call_names.MOST - len(metrics.NAMES)])
    return [
        each._replace(call=call_names.OTHER) if each.call in foreign - names else each
        for each in entries
    ]


def _is_foreign(call: str) -> bool:
    """Tell whether this is a call of the legacy API that does not exist here."""
    is_name = call_names.PATTERN.fullmatch(call) is not None
    return is_name and call != call_names.OTHER and call not in calls.registry()


class CallRecord:
    """Hold what the usage log and the metrics say of one call, until its answer is made.

    `name` is the call as it was asked for, `call` the same if there is such a call, and `foreign`
    if there is none. `message` is empty for a success; `failed` says that the fault was ours, or
    of HTTP. `route` says who answered.
    """

    __slots__ = (
        "address",
        "api_id",
        "call",
        "failed",
        "foreign",
        "message",
        "name",
        "proven",
        "refused",
        "route",
        "started",
    )

    def __init__(self, address: str) -> None:
        self.address = address
        self.name = self.call = self.foreign = self.api_id = self.message = ""
        self.proven = self.failed = False
        self.refused: Try | None = None
        self.route = usage.LOCAL
        self.started = perf_counter()

    def note_request(self, call: str, api_id: object, api_key: object) -> None:
        """Note the call, and the API ID if it could be one."""
        if call in calls.registry():
            self.call = call
        elif call:
            is_name = call_names.PATTERN.fullmatch(call) and not _may_be_a_key(call, api_key)
            self.foreign = call if is_name else call_names.OTHER
        if isinstance(api_id, str) and len(api_id) <= usage.ApiUsage.api_id.max_length:
            self.api_id = api_id

    def note_refused(self, code: str, use: Use, key: str) -> None:
        """Note that a use of a code was refused."""
        address = self.address[:LONGEST_ADDRESS]
        sale = (use.invoice_id, use.order_id, self.api_id, address)
        self.refused = Try(
            clock.now(), self.call, code[:TYPED_LENGTH], key, use.client_id, "", *sale
        )

    def fail(self, problem: BaseException) -> None:
        """Note that the call ended with a fault; its text may quote a client."""
        self.message, self.failed = type(problem).__name__, True

    def entry(self) -> Entry:
        """Return the row for the log, no longer than its columns, and measure the call."""
        result = "failed" if self.failed else "refused" if self.message else "ok"
        seconds = perf_counter() - self.started
        # Of callers without a right key no name is kept, nor of any that has no place in the log.
        call = self.call or (self.foreign if self.proven else "")
        label = call if self.call or call in metrics.NAMES else metrics.OTHER
        metrics.CALLS.labels(label, result).observe(seconds)
        message, address = self.message[: usage.MESSAGE_LENGTH], self.address[:LONGEST_ADDRESS]
        return Entry(clock.now(), call, message, self.api_id, self.proven, address, self.route)


def _may_be_a_key(call: str, api_key: object) -> bool:
    """Tell whether a name is, or holds, a key in the wrong place."""
    sent = isinstance(api_key, str) and api_key.lower() in call.lower()
    return sent or _KEY.fullmatch(call) is not None
