"""Each worker keeps to a core of its own, as far as there are enough."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from app import cores
from tests.serving import Server, served
from tests.waiting import wait_until

ALLOWED = os.sched_getaffinity(0)
several = pytest.mark.skipif(len(ALLOWED) < 2, reason="one core is all there is")


def cores_of(server: Server) -> list[set[int]]:
    """Return the cores that each living worker may run on, in the order of their start."""
    ready = re.findall(r"Worker ready with pid: (\d+)", server.log())
    return [os.sched_getaffinity(int(pid)) for pid in ready if Path(f"/proc/{pid}").exists()]


def test_the_core_with_the_fewest_is_the_freest() -> None:
    first, *others = ALLOWED
    assert cores.freest(others) == first
    assert cores.freest([first, None, *others, *others]) == first
    assert {cores.freest([]) for _ in range(200)} <= ALLOWED
    assert cores.freest([*ALLOWED]) in ALLOWED


@several
def test_two_workers_keep_to_two_cores_and_so_do_those_after_them(folder: Path) -> None:
    with served(folder) as server:
        first, second = cores_of(server)
        assert (len(first), len(second)) == (1, 1)
        assert first != second
        assert os.sched_getaffinity(server.process.pid) == ALLOWED
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.log().count("Worker ready") == 4, why=server.log)
        third, fourth = cores_of(server)[-2:]
        assert (len(third), len(fourth)) == (1, 1)
        assert third != fourth


@several
def test_a_worker_takes_the_core_of_the_one_that_it_replaces(folder: Path) -> None:
    with served(folder, "--workers", str(len(ALLOWED))) as server:
        assert set.union(*cores_of(server)) == ALLOWED
        killed = re.findall(r"Worker ready with pid: (\d+)", server.log())[0]
        os.kill(int(killed), signal.SIGKILL)
        wait_until(lambda: server.log().count("Worker ready") == len(ALLOWED) + 1, why=server.log)
        assert set.union(*cores_of(server)) == ALLOWED


@several
def test_a_setting_lets_them_run_anywhere(folder: Path) -> None:
    with served(folder, PROMOBRIDGE_KEEP_TO_CORES="0") as server:
        assert cores_of(server) == [ALLOWED, ALLOWED]
