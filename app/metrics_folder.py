"""The folder in which the processes of one server put their metrics together."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from contextlib import suppress

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client reads it when it is first imported, and job workers inherit it."""
IN_MEMORY = "/dev/shm"  # noqa: S108  # for a folder whose name nobody can foretell
"""Files are mapped: where a disk has no room for a page, SIGBUS ends the process that writes it."""
ROOM = 16_777_216
"""Bytes: more than some dozens of processes take."""
log = logging.getLogger(__name__)
_made_by = 0


def make() -> None:
    """Make an empty folder that only its owner can enter, for the life of this process.

    A folder named in the environment is never taken over: it may be another server's, as that of
    the one before when gunicorn replaces itself (SIGUSR2). Without a folder each process shows its
    own metrics alone.
    """
    global _made_by
    if _made_by == os.getpid():
        return  # gunicorn reads its settings again at each reload
    os.environ.pop(VARIABLE, None)
    for parent in (IN_MEMORY, None):
        with suppress(OSError):
            if shutil.disk_usage(parent or tempfile.gettempdir()).free >= ROOM:
                os.environ[VARIABLE] = tempfile.mkdtemp(prefix="promobridge-metrics-", dir=parent)
                _made_by = os.getpid()
                atexit.register(_remove)
                return
    log.warning("There is no room for the metrics of all processes: each shows its own")


def skip() -> None:
    """Have none, nor one of the environment: a server of one process shows its own metrics."""
    global _made_by
    os.environ.pop(VARIABLE, None)
    _made_by = os.getpid()  # as if it had been made


def _remove() -> None:
    if _made_by == os.getpid():  # a worker that was forked ends here too
        shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)
