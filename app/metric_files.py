"""The folder in which the processes of one server put their metrics together."""

from __future__ import annotations

import os
import shutil
import tempfile

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client reads it when it is first imported, and job workers inherit it."""
_made_by = 0


def make() -> None:
    """Make an empty folder that only its owner can enter, once in the life of a server.

    A folder named in the environment is never taken over: it may be another server's, as that of
    the one before when gunicorn replaces itself (SIGUSR2).
    """
    global _made_by
    if _made_by != os.getpid():
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="promobridge-metrics-")
        _made_by = os.getpid()


def remove() -> None:
    """Remove the folder when the server that made it ends."""
    if _made_by == os.getpid():
        shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


def forget(pid: int) -> None:
    """Take a process that has ended out of the gauges; what it counted stays counted."""
    if os.environ.get(VARIABLE):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)
