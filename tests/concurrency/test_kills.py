"""kill -9 in the middle of everything: what was answered is there, and every count is right.

A few rounds run with all tests. The whole proof, by hand and some minutes long:

    PROMOBRIDGE_TEST_ROUNDS=50 pytest tests/concurrency/test_kills.py
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from models.promotions.coupons import Coupon
from models.store import counters
from tests import saved, stores
from tests.concurrency.clients import assert_counts_are_right
from tests.concurrency.storm import Storm
from tests.serving import environment, served
from tests.waiting import SECONDS, wait_until

ROUNDS = int(os.environ.get("PROMOBRIDGE_TEST_ROUNDS", "3"))
WORKERS = 4
RECORDS = 10_000
"""Coupons in a file to import: storing them takes longer than the latest kill."""
SIZE = 120_000
"""Codes to generate, in a few transactions."""
IMPORT_SECONDS, GENERATION_SECONDS = 0.1, 0.5
"""How long after its first transaction began a command is killed at the latest."""
CHANCE = random.Random()  # noqa: S311  # the moment of a kill is no secret


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a promobridge command over the store in the folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(folder: Path, *arguments: str) -> str:
    """Run a promobridge command that must succeed and return what it said."""
    process = started(folder, *arguments)
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    return said


def kill_while_it_writes(folder: Path, process: subprocess.Popen[str], latest: float) -> bool:
    """Kill a command at a moment by chance; tell whether it was still there."""
    try:
        wait_until(lambda: stores.is_written(stores.url(folder)) or process.poll() is not None)
        with suppress(subprocess.TimeoutExpired):
            process.wait(CHANCE.uniform(0, latest))
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)
    return process.returncode == -signal.SIGKILL


def test_a_generation_that_is_killed_goes_on_until_it_is_whole(folder: Path) -> None:
    begin = ("--name", "Cut", "--value", "5", "--size", str(SIZE))
    cut = 0
    for _ in range(ROUNDS):
        # The first may be killed before the batch has its number.
        arguments = ("--resume", "1") if counters.count(counters.BATCHES) else begin
        generation = started(folder, "batch", "generate", *arguments)
        cut += kill_while_it_writes(folder, generation, GENERATION_SECONDS)
        assert_counts_are_right()
    assert cut
    arguments = ("--resume", "1") if counters.count(counters.BATCHES) else begin
    said = json.loads(done(folder, "batch", "generate", *arguments, "--json"))
    assert said["coupons_count"] == Coupon.select().count() == SIZE
    assert "right" in done(folder, "db", "check")


def answers_file(folder: Path) -> str:
    inside = [saved.coupon(number, 7) for number in range(1, RECORDS + 1)]
    return saved.save(folder / "answers.json", saved.answer("batches", [saved.batch(7, inside)]))


def codes_file(folder: Path) -> str:
    path = folder / "codes.csv"
    path.write_text("code,value\n" + "".join(f"OWN-{n},5\n" for n in range(RECORDS)))
    return str(path)


@pytest.mark.parametrize(
    ("command", "file"), [(("import",), answers_file), (("coupon", "import"), codes_file)]
)
def test_an_import_that_is_killed_has_stored_nothing(
    folder: Path, command: tuple[str, ...], file: Callable[[Path], str]
) -> None:
    arguments = (*command, file(folder))
    cut = 0
    for _ in range(ROUNDS):
        if kill_while_it_writes(folder, started(folder, *arguments), IMPORT_SECONDS):
            cut += 1
            assert Coupon.select().count() in (0, RECORDS)  # the latter: killed after the commit
        assert_counts_are_right()
    assert cut
    if not Coupon.select().count():
        done(folder, *arguments)
    assert Coupon.select().count() == RECORDS
    assert_counts_are_right()


def workers_of(master: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def test_killed_workers_lose_nothing_that_was_answered(folder: Path) -> None:
    storm = Storm.over_new_codes()
    command = "serve", "--workers", str(WORKERS)
    with served(folder, command=command, PROMOBRIDGE_JOB_WORKERS="0") as server:
        master = server.process.pid
        wait_until(lambda: len(workers_of(master)) == WORKERS)
        with storm.raging(server.address, threading.Event()):
            for _ in range(ROUNDS):
                target = len(storm.answered) + CHANCE.randrange(20, 120)
                wait_until(lambda target=target: len(storm.answered) >= target)
                killed = CHANCE.choice(workers_of(master))
                os.kill(killed, signal.SIGKILL)
                wait_until(lambda killed=killed: killed not in workers_of(master))
                wait_until(lambda: len(workers_of(master)) == WORKERS)
        storm.assert_nothing_is_lost_or_invented()
        assert_counts_are_right()
    assert_counts_are_right()  # the usage log is written at the end


def test_killed_servers_lose_nothing_that_was_answered(folder: Path) -> None:
    storm = Storm.over_new_codes()
    for _ in range(ROUNDS):
        down = threading.Event()
        with served(folder, command=("serve", "--workers", str(WORKERS))) as server:
            storm.ask_again(server.address)
            storm.assert_nothing_is_lost_or_invented()
            with storm.raging(server.address, down):
                target = len(storm.answered) + CHANCE.randrange(50, 150)
                wait_until(lambda target=target: len(storm.answered) >= target)
                down.set()
                os.killpg(server.process.pid, signal.SIGKILL)
                server.process.wait(SECONDS)
        storm.assert_nothing_is_lost_or_invented()
        assert_counts_are_right()
    with served(folder) as server:
        storm.ask_again(server.address)
        storm.assert_nothing_is_lost_or_invented()
        assert_counts_are_right()
    assert_counts_are_right()
