"""The worker: it makes the codes of unfinished jobs, one chunk a transaction, until told to stop.

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
from collections.abc import Callable, Mapping

from models.campaigns import jobs
from models.store.base import database
from models.store.errors import AWAY, Busy

POLL_SECONDS = 0.5
"""How long an idle worker waits before it looks again: one indexed look-up."""
AWAY_SECONDS = 5.0
"""How long it waits for a store that is away, and a dead worker for its successor."""
STOP_SECONDS = 20
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

        metrics.codes_made(count)
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
    """Keep workers running beside the server, each started again when it dies."""

    def __init__(self, environment: Mapping[str, str], number: int) -> None:
        us = str(os.getpid())
        self._command = [sys.executable, "-m", "app.cli", "worker", "--beside", us]
        self._environment = dict(environment)
        self._stopping = threading.Event()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._keepers = [
            threading.Thread(target=self._keep, args=(at,), daemon=True) for at in range(number)
        ]

    def start(self) -> None:
        """Start the workers."""
        for keeper in self._keepers:
            keeper.start()

    def stop(self) -> None:
        """Tell the workers to stop and wait for their chunks to end."""
        self._stopping.set()
        for process in list(self._running.values()):
            process.terminate()
        for keeper in self._keepers:
            keeper.join(STOP_SECONDS)
        for process in self._running.values():
            process.kill()

    def _keep(self, at: int) -> None:
        while not self._stopping.is_set():
            # Standard output belongs to the command: `demo --json` prints one value there.
            process = subprocess.Popen(  # noqa: S603  # our own command
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                process_group=0,  # Ctrl-C amid its imports would leave a trace; `stop` tells it
            )
            self._running[at] = process
            if self._stopping.is_set():
                process.terminate()
            process.wait()
            if not self._stopping.wait(AWAY_SECONDS):
                log.warning("A worker has ended and is started again")
