"""The servers that are measured: each started on a free port of loopback, stopped by its id."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path

from tests.engine_servers import free_port

CHECKOUT = Path(__file__).parents[2]
GUNICORN, GRANIAN, TUTORIAL = "gunicorn gthread", "granian", "tutorial"
OURS = (GUNICORN, GRANIAN)
PROCESSES = 2
START_SECONDS = 60
STOP_SECONDS = 10
PACKAGES = {"php-fpm": "php-fpm php-sqlite3", "nginx": "nginx-light", "wrk": "wrk"}
TICKS = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """Say which program is not installed and how to get it."""


class Broken(Exception):
    """Say which program did not start, or answered something else than it should."""


@dataclass(frozen=True)
class Server:
    """Name a running server: its port, and the processes whose children belong to it too."""

    name: str
    port: int
    started: tuple[int, ...]

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str) -> bytes:
        """Return the body of an answer. Raises Broken when its status is not 200."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Broken(f"{self.name} answered {answer.status}: {body[:200]!r}")
        return body

    def workers(self) -> list[int]:
        """Return the ids of all processes below those of `started`."""
        return [child for pid in self.started for child in _children(pid)]

    def processor_seconds(self) -> float:
        """Return the processor time that all its processes have taken, ended ones included."""
        return sum(map(_processor_ticks, (*self.started, *self.workers()))) / TICKS


def _children(pid: int) -> list[int]:
    """Return the ids of the children of a process, their children after them."""
    found = []
    for each in Path(f"/proc/{pid}/task").glob("*/children"):  # each thread has its own
        with suppress(OSError):
            found += map(int, each.read_text().split())
    return [*found, *(below for child in found for below in _children(child))]


def _processor_ticks(pid: int) -> int:
    """Return utime, stime, cutime and cstime of a process, 0 once it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def program(name: str) -> str:
    """Return the path of a program. Raises Missing."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None and name == "php-fpm":  # Debian's has its version in its name
        found = next(iter(sorted(map(str, Path("/usr/sbin").glob("php-fpm*")), reverse=True)), None)
    if found is None:
        every = " ".join(PACKAGES.values())
        raise Missing(f"{name} is not installed: apt-get install --no-install-recommends {every}")
    return found


def require_all() -> None:
    """Raise Missing unless everything that is measured, or measures, is installed."""
    for name in PACKAGES:
        program(name)
    if find_spec("granian") is None:
        raise Missing("granian is not installed: pip install 'granian>=2.8,<3'")


@contextmanager
def running(command: Sequence[str], log: Path, env: Mapping[str, str]) -> Iterator[int]:
    """Run a program in the folder of its log until the block ends; yield its process id."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            env=os.environ | env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # A worker of granian that is still starting misses the signal to end.
            for pid in (process.pid, *_children(process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def _command(name: str, port: int, processes: int) -> list[str]:
    """Return the command that serves promobridge with a server of OURS."""
    server = ["--server", name.split()[0], "--bind", f"127.0.0.1:{port}"]
    return [sys.executable, "-m", "app.cli", "serve", *server, "--workers", str(processes)]


@contextmanager
def promobridge(
    name: str, store: Path, processes: int = PROCESSES, **settings: str
) -> Iterator[Server]:
    """Serve promobridge with a server of OURS; settings are PROMOBRIDGE_* without the prefix."""
    env = {f"PROMOBRIDGE_{key.upper()}": value for key, value in settings.items()}
    env |= {"PROMOBRIDGE_DATABASE_URL": f"sqlite:///{store}", "PROMOBRIDGE_JOB_WORKERS": "0"}
    env |= {"PROMOBRIDGE_ACCESS_LOG": "0"}  # none of the others writes a line for each request
    port = free_port()
    with _python(_command(name, port, processes), env) as (log, pid):
        yield answering(Server(name, port, (pid,)), log)


@contextmanager
def tutorial(store: Path) -> Iterator[Server]:
    """Serve peer/tutorial.py with gunicorn as it is without any option."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", str(PROCESSES), "tests.bench.peer.tutorial:app"]
    with _python(command, {"STORE": str(store)}) as (log, pid):
        yield answering(Server(TUTORIAL, port, (pid,)), log)


@contextmanager
def _python(command: Sequence[str], env: Mapping[str, str]) -> Iterator[tuple[Path, int]]:
    """Run a server away from the checkout, whose gunicorn.conf.py gunicorn would find."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder, "log")
        with running(command, log, {**env, "PYTHONPATH": str(CHECKOUT)}) as pid:
            yield log, pid


def answering(server: Server, log: Path) -> Server:
    """Wait for the first answer, and return the server. Raises Broken when it does not come."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not any(map(_ended, server.started)):
        with suppress(OSError, HTTPException, Broken):
            server.get("/admin/api.php?call=")
            return server
        time.sleep(0.01)
    raise Broken(f"{server.name} did not start: {log.read_text()[-2000:]}")


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
