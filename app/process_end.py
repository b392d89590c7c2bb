"""What a process does before it ends, whatever server it works for.

`atexit` does not do for this: a process of `multiprocessing`, as granian's workers are, ends
without it, but not without its threads that are no daemons.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

_todo: list[Callable[[], object]] = []
_starting = threading.Lock()
_waiting_in = 0


def at_end(work: Callable[[], object]) -> None:
    """Do some work when all other threads of this process have ended, unless it is killed."""
    global _waiting_in
    with _starting:
        if _waiting_in != os.getpid():  # neither the thread nor its work lives on after a fork
            _todo.clear()
            threading.Thread(target=_wait, name="process end", daemon=False).start()
            _waiting_in = os.getpid()
        _todo.append(work)


def not_at_end(work: Callable[[], object]) -> None:
    """Let it be: it was done already."""
    if work in _todo:
        _todo.remove(work)


def _wait() -> None:
    threading.main_thread().join()
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    for work in list(_todo):
        work()
