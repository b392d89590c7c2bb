"""Forwarding adds little to a call; `python -m tests.panel.added_time` measures how little."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from tests.panel.added_time import DIRECT, NGINX, OURS, measured


def test_a_forwarded_call_takes_about_as_long_as_a_direct_one(tmp_path: Path) -> None:
    found = measured(tmp_path, per_second=40, seconds=1, rounds=2, threads=16)
    assert set(found) == {DIRECT, NGINX, OURS}
    assert all(len(each) == 2 for each in found.values())
    least = {name: min(each.milliseconds for each in rounds) for name, rounds in found.items()}
    assert least[OURS] < 2 * least[DIRECT]
    assert median(each.refused for each in found[OURS]) == 0
