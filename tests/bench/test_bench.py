"""The measurements run on every server, in their smallest size; all of them by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.bench.__main__ import NUMBERS
from tests.bench.php import PHP
from tests.bench.servers import CHECKOUT, OURS, TUTORIAL, Missing, require_all

SOME = ("S1", "S5", "S6", "S7")
"""One measure of each kind: a page, a look-up, a use, codes that are made."""
SECONDS = 600
"""It takes half a minute where nothing else runs, minutes where much does."""


def test_the_smallest_run_prints_a_row_for_each_measure_and_a_column_for_every_server() -> None:
    try:
        require_all()
    except Missing as missing:
        pytest.skip(str(missing))
    assert {*SOME} < {*NUMBERS}
    returned, shown, problems = _run(["--size", "smoke", "--only", ",".join(SOME)])
    assert returned == 0, problems
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {row[0] for row in rows} >= {*SOME}
    beside_php = next(row for row in rows if PHP in row)
    assert beside_php[3:] == [*OURS, TUTORIAL, PHP]


def _run(options: list[str]) -> tuple[int, str, str]:
    """Return what it ended with and printed. One that does not end is ended, servers and all."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench", *options],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        shown, problems = process.communicate(timeout=SECONDS)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, shown, problems
