"""The folder in which the processes of one server put their metrics together.

prometheus-client maps its files into memory, and a mapped page for which the disk has no room ends
the process (SIGBUS). So every file gets its room before it is mapped.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client reads it, and job workers inherit it."""
BYTES = {"histogram": 524_288, "counter": 65_536, "gauge_livesum": 65_536}
"""Room for all calls, routes, results and statuses that there are."""
COUNTING = ("histogram", "counter")
ENDED = "ended"
"""Stands in the place of a process id for all processes that have ended."""
log = logging.getLogger(__name__)
_made_by = 0


def make() -> None:
    """Make an empty folder that only its owner can enter, once in the life of a server.

    A folder named in the environment is never taken over: it may be another server's, as that of
    the one before when gunicorn replaces itself (SIGUSR2). Where there is no room, each process
    shows its own metrics alone.
    """
    global _made_by
    if _made_by == os.getpid():
        return
    os.environ.pop(VARIABLE, None)
    folder = ""
    try:
        folder = tempfile.mkdtemp(prefix="promobridge-metrics-")
        for kind in COUNTING:
            _make_room(folder, kind, ENDED)
    except OSError as problem:
        log.warning("No room for the metrics of all processes: %s", problem.strerror)
        if folder:
            shutil.rmtree(folder)
        return
    os.environ[VARIABLE] = folder
    _made_by = os.getpid()


def join() -> str:
    """Make room for this process; return the folder, "" where there is none to share."""
    folder = os.environ.get(VARIABLE, "")
    try:
        for kind in BYTES if folder else ():
            _make_room(folder, kind, str(os.getpid()))
    except OSError as problem:
        log.warning("No room for the metrics of this process: %s", problem.strerror)
        return ""
    return folder


def remove() -> None:
    """Remove the folder when the server that made it ends."""
    global _made_by
    if _made_by == os.getpid():
        shutil.rmtree(os.environ.pop(VARIABLE), ignore_errors=True)
        _made_by = 0


def forget(pid: int) -> None:
    """Take a process that has ended out of the gauges, and add what it counted to the others'."""
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        return
    from prometheus_client.mmap_dict import MmapedDict
    from prometheus_client.multiprocess import mark_process_dead

    # Whatever cleans temporary folders may have been here: no reason to end a server.
    with suppress(OSError), locked(folder, fcntl.LOCK_EX):
        mark_process_dead(pid, folder)
        for kind in COUNTING:
            file = _name(folder, kind, str(pid))
            if not os.path.exists(file):
                continue
            ended = MmapedDict(_name(folder, kind, ENDED))
            for key, value, _, _ in MmapedDict.read_all_values_from_file(file):
                ended.write_value(key, ended.read_value(key)[0] + value, 0.0)
            ended.close()
            os.unlink(file)


@contextmanager
def locked(folder: str, how: int = fcntl.LOCK_SH) -> Iterator[None]:
    """Hold the folder still while it is read, or while what has ended is moved."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, how)
        yield
    finally:
        os.close(opened)


def _make_room(folder: str, kind: str, owner: str) -> None:
    """Put a file in its place with its room: one without breaks whoever reads the metrics."""
    place = _name(folder, kind, owner)
    if os.path.exists(place):
        return  # what a process of the same number counted goes on
    unready = f"{place}.unready"
    try:
        with open(unready, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, BYTES[kind])
        os.rename(unready, place)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(unready)
        raise


def _name(folder: str, kind: str, owner: str) -> str:
    """Return the name that prometheus-client looks for."""
    return os.path.join(folder, f"{kind}_{owner}.db")
