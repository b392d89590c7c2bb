"""Connections go to the worker that has the least to do, and to another where it is stuck."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from app.worker_loads import MOST, Load
from tests.credentials import QUERY
from tests.serving import Server, served
from tests.waiting import wait_until

CONNECTIONS = 30
SHARE = 20
"""How many of them the freer worker gets at least. By chance it would be so many in one case of
twenty."""
MANY = 200
"""Connections by which a worker that was halted is up again, be the machine as busy as it may."""


@pytest.fixture
def loads() -> Iterator[list[Load]]:
    loads = [Load(age) for age in range(3)]
    yield loads
    for load in loads:
        load.forget()


def test_the_busier_worker_leaves_connections_to_others(loads: list[Load]) -> None:
    first, second, third = loads
    first.tell(1, full=False)
    assert not first.is_above_others()
    second.tell(1, full=False)
    assert not first.is_above_others()
    third.tell(0, full=False)
    assert first.is_above_others()
    assert not third.is_above_others()
    third.forget()
    assert not first.is_above_others()


def test_a_worker_without_a_free_thread_comes_last(loads: list[Load]) -> None:
    first, second, _ = loads
    first.tell(4, full=True)
    second.tell(10_000, full=False)
    assert first.is_above_others()
    assert not second.is_above_others()
    second.tell(10_000, full=True)
    assert second.is_above_others()
    first.tell(MOST, full=True)
    assert not second.is_above_others()  # more than can be told


def connections_of(pid: int, port: int) -> int:
    """Return how many clients' connections a process has open."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = f":{port:04X}"
    open_ones = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(local) and row[3] == "01"}
    files = Path(f"/proc/{pid}/fd")
    return sum(os.readlink(files / name) in open_ones for name in os.listdir(files))


def kept(server: Server) -> HTTPConnection:
    """Return a connection that was used once and is kept."""
    connection = HTTPConnection(*server.address, timeout=30)
    connection.request("GET", f"/api.php?{QUERY}&call=getHostBillversion")
    assert b'"success":true' in connection.getresponse().read()
    return connection


def workers(server: Server) -> list[int]:
    """Return the process ids of all workers so far."""
    return [int(pid) for pid in re.findall(r"Worker ready with pid: (\d+)", server.log())]


def test_a_worker_that_was_stuck_gets_what_comes_next(folder: Path) -> None:
    # A thread stays with a connection for a moment, so few threads would make a worker full.
    settings = {"GUNICORN_CMD_ARGS": f"--keep-alive 60 --threads {CONNECTIONS}"}
    with served(folder, **settings) as server, ExitStack() as open_until_here:
        port = server.address[1]

        def ask(times: int) -> None:
            for _ in range(times):
                open_until_here.enter_context(closing(kept(server)))

        def ask_without(stuck: int, times: int) -> None:
            os.kill(stuck, signal.SIGSTOP)
            ask(times)
            os.kill(stuck, signal.SIGCONT)

        first, second = workers(server)
        ask_without(first, 1)  # the first answer of a process takes its time
        ask_without(second, CONNECTIONS)
        assert (connections_of(first, port), connections_of(second, port)) == (CONNECTIONS, 1)
        ask(CONNECTIONS)
        assert connections_of(second, port) >= SHARE
        os.kill(first, signal.SIGKILL)  # what it told goes with it
        wait_until(lambda: len(workers(server)) == 3, why=server.log)
        third = workers(server)[-1]
        ask_without(second, 1)
        ask(CONNECTIONS)
        assert connections_of(third, port) >= SHARE
