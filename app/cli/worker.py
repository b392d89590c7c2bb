"""promobridge worker: the process that makes the codes of large batches, a chunk a transaction.

The jobs table is the queue. A job's codes and its progress are stored together, and any number of
workers may fill one batch, so nothing has to be claimed, acknowledged or given back: a worker that
dies leaves a job that is merely unfinished.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable

import click

from app import config, db, logs
from models.campaigns import jobs
from models.promotions import batch_jobs
from models.store import schema
from models.store.base import database
from models.store.errors import AWAY, Busy

POLL_SECONDS = 0.5
"""How long an idle worker waits before it looks again: one indexed look-up."""
AWAY_SECONDS = 5.0
"""How long it waits for a store that is away."""
log = logging.getLogger(__name__)


class Stopped(Exception):
    """Interrupt a job between two chunks; it stays unfinished."""


@click.command(name="worker", epilog="Example: promobridge worker")
@click.option("--once", is_flag=True, help="End when there is nothing left to do.")
@click.option("--beside", type=int, hidden=True, help="End when this parent process has ended.")
def command(once: bool, beside: int | None) -> None:
    """Make the codes of large batches that the REST API or a page was asked for.

    `promobridge serve` starts one beside itself; more may run. One that is killed loses nothing:
    the next goes on where it stopped.
    """
    settings = config.from_environment()
    logs.configure(settings)
    with db.bind(settings).connection_context():
        schema.require_current()
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())

    def stopping() -> bool:
        return told.is_set() or beside not in (None, os.getppid())

    while not stopping():
        try:
            busy = work_on_next(stopping)
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


def work_on_next(stopping: Callable[[], bool]) -> bool:
    """Work on the next unfinished job; return whether there was one. Raises Stopped."""

    def on_progress(count: int) -> None:
        from app import metrics  # an idle worker keeps no file of metrics

        metrics.CODES.inc(count)
        if stopping():
            raise Stopped

    with database.connection_context():
        if job := jobs.next_unfinished():
            log.info("Job %s, %s: %s codes", job.id, job.status, job.requested)
            jobs.work(job, on_progress)
        elif asked := batch_jobs.next_unfinished():
            log.info("The codes of batch %s", asked.batch_id)
            batch_jobs.work(asked, on_progress)
        else:
            return False
    return True
