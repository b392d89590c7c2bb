"""Each attack for a moment on a real server behind nginx: what a neighbour and the host feel of it.

These runs are the one place with a clock; `python -m tests.attack` runs them at full length.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.attack.kinds import KINDS
from tests.attack.reports import Report
from tests.attack.runs import Stage, check, run, stage

ROUNDS = 3
SECONDS = 2
"""How long each may last; what is refused takes less."""


class Stages:
    """Keep one server for all attacks, and take a fresh one after an attack that has hurt it."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self._factory = tmp_path_factory
        self._stack = ExitStack()
        self._stage: Stage | None = None

    def attack(self, kind: str) -> Report:
        """Return what an attack has cost."""
        stage = self.stage()
        report = run(KINDS[kind], stage, SECONDS, full=False)
        if report.faults or stage.has_ended:
            report.check = check(stage)
            self.close()
        return report

    def stage(self) -> Stage:
        """Return the stage, put up if there is none."""
        if self._stage is None:
            folder: Path = self._factory.mktemp("stage")
            self._stage = self._stack.enter_context(stage(folder))
        return self._stage

    def close(self) -> None:
        """End the server."""
        self._stage = None
        self._stack.close()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """Return where the attacks take place."""
    made = Stages(tmp_path_factory)
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_are_answered_and_workers_live(stages: Stages, kind: str) -> None:
    for _ in range(ROUNDS):  # of a busy machine: what holds a neighbour back does so every time
        report = stages.attack(kind)
        if not report.faults:
            break
    assert (report.faults, report.check) == ([], "")
    assert report.neighbour_calls > 1


def test_the_store_is_clean_after_all_of_them(stages: Stages) -> None:
    assert check(stages.stage()) == ""
