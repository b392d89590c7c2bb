"""Run `promobridge worker` processes beside the server."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

RESTART_SECONDS = 5.0
"""How often to look for workers that have ended."""
STOP_SECONDS = 20
"""How long a worker may take to end its chunk."""
log = logging.getLogger(__name__)


class JobWorkers:
    """Keep `number` job workers running; one that ends is started again within RESTART_SECONDS."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._running: list[subprocess.Popen[bytes]] = []
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Start the workers."""
        # Not in the thread: a web worker that is forked meanwhile would keep its pipe open.
        self._running = [_started() for _ in range(self._number)]
        self._keeper.start()

    def stop(self) -> None:
        """Tell the workers to stop and wait for their chunks to end."""
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _keep(self) -> None:
        while not self._stopping.wait(RESTART_SECONDS):
            for at, process in enumerate(self._running):
                if process.poll() is not None:
                    log.warning("A worker has ended and is started again")
                    self._running[at] = _started()


def _started() -> subprocess.Popen[bytes]:
    # Standard output belongs to the command: `demo --json` prints one value there.
    return subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-m", "app.cli", "worker", "--beside", str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        process_group=0,  # Ctrl-C amid its imports would leave a trace; `stop` tells it
    )
