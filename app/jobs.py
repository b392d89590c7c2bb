"""The job worker: it makes the codes of unfinished jobs, a chunk a transaction, until told to stop.

The jobs table is the queue. A job's codes and its progress are stored together, and any number of
workers may fill one batch, so nothing has to be claimed, acknowledged or given back: a worker that
dies leaves a job that is merely unfinished.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

from models.campaigns import jobs
from models.store.base import database
from models.store.errors import AWAY, Busy

POLL_SECONDS = 0.5
"""How long an idle worker waits before it looks again: one indexed look-up."""
AWAY_SECONDS = 5.0
"""How long it waits for a store that is away, and before a dead worker is started again."""
STOP_SECONDS = 20
"""How long a worker beside the server may take to end its chunk."""
log = logging.getLogger(__name__)


class Stopped(Exception):
    """End a job between two chunks; it stays unfinished."""


def run(once: bool, orphaned: Callable[[], bool]) -> None:
    """Work until SIGTERM or SIGINT, or until there is nothing left to do when asked `once`."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())

    def stopping() -> bool:
        return told.is_set() or orphaned()

    while not stopping():
        try:
            busy = _work_on_next(stopping)
        except Stopped:
            return
        except (*AWAY, Busy) as problem:
            log.warning("The store cannot be reached: %s", type(problem).__name__)
            told.wait(AWAY_SECONDS)
            continue
        if not busy:
            if once:
                return
            told.wait(POLL_SECONDS)


def _work_on_next(stopping: Callable[[], bool]) -> bool:
    """Work on the next unfinished job; return whether there was one. Raises Stopped."""

    def on_progress(count: int) -> None:
        from app import metrics  # the server makes their folder before they are imported

        metrics.CODES.inc(count)
        if stopping():
            raise Stopped

    with database.connection_context():
        job = jobs.next_unfinished()
        if job is None:
            return False
        log.info("Job %s: making %s codes", job.id, job.requested)
        jobs.work(job, on_progress)
    return True


class Beside:
    """Keep job workers running beside the server; one that dies is started again."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._stopping = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._keepers: list[threading.Thread] = []

    def start(self) -> None:
        """Start the workers."""
        for _ in range(self._number):
            # Not in the thread: a web worker that is forked meanwhile would keep its pipe open.
            process = self._started()
            keeper = threading.Thread(target=self._keep, args=(process,), daemon=True)
            keeper.start()
            self._keepers.append(keeper)

    def stop(self) -> None:
        """Tell the workers to stop and wait for their chunks to end."""
        self._stopping.set()
        for process in list(self._running):
            process.terminate()
        for keeper in self._keepers:
            keeper.join(STOP_SECONDS)
        for process in list(self._running):
            process.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        # Standard output belongs to the command: `demo --json` prints one value there.
        process = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "app.cli", "worker", "--beside", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            process_group=0,  # Ctrl-C amid its imports would leave a trace; `stop` tells it
        )
        self._running.add(process)
        return process

    def _keep(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            if self._stopping.is_set():
                process.terminate()
            process.wait()
            self._running.discard(process)
            if self._stopping.wait(AWAY_SECONDS):
                return
            log.warning("A worker has ended and is started again")
            process = self._started()
