"""promobridge batch generate as a real process that is killed, interrupted and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import config
from models.promotions import batches
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.store import counters
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SPRING = ("batch", "generate", "--name", "Spring", "--value", "10")
SIZE = 120_000
"""Codes that need two transactions more after the first."""
PATIENCE_SECONDS = 120


class Process:
    """Run one real command over the store of the test."""

    def __init__(self, settings: config.Settings, *arguments: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=ROOT,
            env=os.environ
            | {
                config.variable("database_url"): settings.database_url,
                # A transaction of 50,000 codes may take half a minute where others compute too.
                config.variable("database_timeout_seconds"): str(PATIENCE_SECONDS),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop_in_the_middle(self, with_signal: int) -> str:
        """Send a signal once some codes are in the store; return what was said on stderr."""
        wait_until(self._has_begun)
        self.child.send_signal(with_signal)
        return self.child.communicate(timeout=60)[1]

    def made(self) -> int:
        """Return how many codes are in the store, as another process sees it."""
        return sum(batch.made for batch in Batch.select(Batch.made))

    def _has_begun(self) -> bool:
        assert self.child.poll() is None, self.child.communicate()
        return self.made() > 0

    def answer(self) -> Any:
        """Wait for the end and return the JSON value that was printed."""
        said, problems = self.child.communicate(timeout=2 * PATIENCE_SECONDS)
        assert self.child.returncode == 0, problems
        return json.loads(said)


@pytest.fixture
def start(settings: config.Settings, store: config.Settings) -> Iterator[Callable[..., Process]]:
    """Return a function that starts a command; what still runs at the end is killed."""
    started: list[Process] = []

    def start(*arguments: str) -> Process:
        started.append(Process(settings, *arguments))
        return started[-1]

    yield start
    for process in started:
        process.child.kill()
        process.child.communicate()


def test_a_killed_generation_is_finished_by_two_at_once(start: Callable[..., Process]) -> None:
    start(*SPRING, "--size", str(SIZE), "--json").stop_in_the_middle(signal.SIGKILL)
    cut = batches.by_id(1)
    assert 0 < cut.made < SIZE
    assert cut.made == cut.coupons_count == Coupon.select().count()

    both = [start("batch", "generate", "--resume", "1", "--json") for _ in range(2)]
    assert [process.answer()["coupons_count"] for process in both] == [SIZE, SIZE]
    done = batches.by_id(1)
    assert done.made == done.coupons_count == Coupon.select().count() == SIZE
    assert Coupon.select(Coupon.code).distinct().count() == SIZE
    assert counters.count(counters.COUPONS) == SIZE
    assert counters.count(counters.SINGLE_COUPONS) == 0


def test_ctrl_c_says_how_to_go_on(start: Callable[..., Process]) -> None:
    process = start(*SPRING, "--size", str(SIZE), "--json")
    said = process.stop_in_the_middle(signal.SIGINT)
    assert process.child.returncode == 130
    made = batches.by_id(1).made
    assert f"batch 1 has {made:,} of {SIZE:,} codes" in said
    assert "promobridge batch generate --resume 1\n" in said
    assert "Traceback" not in said
