"""Run processes beside the server: workers of large batches, senders of webhooks."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

RESTART_SECONDS = 5.0
"""How often to look for processes that have ended."""
STOP_SECONDS = 20
"""How long a process may take to end what it does."""
log = logging.getLogger(__name__)


class SideProcesses:
    """Keep commands of ours running; one that ends is started again within RESTART_SECONDS."""

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        self._commands = commands
        self._running: list[subprocess.Popen[bytes]] = []
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Start the processes."""
        # Not in the thread: a web worker that is forked meanwhile would keep its pipe open.
        self._running = [_started(command) for command in self._commands]
        self._keeper.start()

    def stop(self) -> None:
        """Tell the processes to stop and wait for what they do to end."""
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
                    command = self._commands[at]
                    log.warning("promobridge %s has ended and is started again", " ".join(command))
                    self._running[at] = _started(command)


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # Standard output belongs to the command: `demo --json` prints one value there.
    return subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-m", "app.cli", *command, "--beside", str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        process_group=0,  # Ctrl-C amid its imports would leave a trace; `stop` tells it
    )
