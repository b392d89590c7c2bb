"""A double leaves nothing behind, however it ends and whatever its environment says."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from app import metrics_folder
from app.config import from_environment
from app.double.store import Store, remove_left
from tests.double.conftest import command, remains, started
from tests.serving import environment
from tests.waiting import wait_until

LONG = {
    "calls": [
        {"call": "addPromoBatch", "name": f"B{n}", "size": 100, "type": "percent", "value": 5}
        | {"coupon_type": "cart"}
        for n in range(2000)
    ]
}
"""A seed that takes far longer than a signal."""


def test_what_the_environment_names_is_not_made(tmp_path: Path) -> None:
    named = {
        "PROMOBRIDGE_UI_KEY_FILE": str(tmp_path / "key"),
        "PROMOBRIDGE_LIMITS_URL": "redis://127.0.0.1:1/0",
        metrics_folder.VARIABLE: str(tmp_path / "metrics"),
    }
    with started(tmp_path, "--empty", **named) as double:
        for path in ("/ui/", "/ui/log-in", "/metrics"):
            assert double.send("GET", path).status in (200, 404)
        assert double.call("listPromoBatches")["success"]
    assert os.listdir(tmp_path) == ["said"]


def test_no_folder_of_metrics_is_made_after_it_was_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_folder, "IN_MEMORY", str(tmp_path))
    monkeypatch.setattr(metrics_folder, "_made_by", 0)
    monkeypatch.setenv(metrics_folder.VARIABLE, str(tmp_path / "another"))
    metrics_folder.skip()
    metrics_folder.make()
    assert metrics_folder.VARIABLE not in os.environ
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "seed").write_text(json.dumps(LONG))
    port = tmp_path / "port"
    words = command("--bind", "127.0.0.1:0", "--port-file", str(port), "--seed", "seed")
    given = environment(tmp_path) | {"TMPDIR": str(tmp_path)}
    given.pop("PROMOBRIDGE_DATABASE_URL", None)
    process = subprocess.Popen(
        words, cwd=tmp_path, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_until(lambda: remains(tmp_path), pause=0.001)
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert "A double answers" not in said  # it had not got there
    assert "Traceback" not in said
    assert sorted(os.listdir(tmp_path)) == ["seed"]


def test_the_end_of_a_terminal_ends_it(tmp_path: Path) -> None:
    with started(tmp_path, "--empty") as double:
        double.process.send_signal(signal.SIGHUP)
        assert double.process.wait(30) == 0
    assert os.listdir(tmp_path) == ["said"]


def test_it_ends_with_its_worker_and_says_so(tmp_path: Path) -> None:
    with started(tmp_path, "--empty") as double:
        (worker,) = children(double.process.pid)
        os.kill(worker, signal.SIGKILL)
        double.process.wait(30)
    assert "was sent SIGKILL" in (tmp_path / "said").read_text()
    assert os.listdir(tmp_path) == ["said"]


def children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    return [*map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]


class TestPortFile:
    def test_one_of_before_is_gone_before_it_answers(self, tmp_path: Path) -> None:
        port = tmp_path / "port"
        port.write_text("1\n")
        done = self.run(tmp_path, "--port-file", str(port), "--clock", "soon")
        assert done.returncode == 1
        assert not port.exists()

    def test_it_is_gone_with_the_double(self, tmp_path: Path) -> None:
        with started(tmp_path, "--empty") as double:
            double.process.terminate()
            double.process.wait(30)
            assert not (tmp_path / "port").exists()

    def test_one_that_cannot_be_written_is_refused_at_once(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, "--port-file", str(tmp_path / "none" / "port"))
        assert done.returncode == 1
        assert done.stderr.endswith("cannot be written: No such file or directory\n")
        assert done.stderr.count("\n") == 1
        assert os.listdir(tmp_path) == []

    @staticmethod
    def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the command, which must end by itself."""
        given = environment(folder) | {"TMPDIR": str(folder)}
        given.pop("PROMOBRIDGE_DATABASE_URL", None)
        words = command("--bind", "127.0.0.1:0", *options)
        return subprocess.run(
            words, cwd=folder, env=given, capture_output=True, text=True, timeout=60
        )


@pytest.mark.parametrize("step", ["mkdir", "flock"])
def test_a_start_beside_it_takes_no_folder_that_is_not_yet_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made: list[Path] = []
    steps = {"mkdir": (Path, Path.mkdir), "flock": (fcntl, fcntl.flock)}
    owner, real = steps[step]

    def interrupted(*given: Any) -> None:
        """Take the step as it is, with a start beside it between this one and the next."""
        monkeypatch.setattr(owner, step, real)
        if step == "mkdir":
            real(*given)
        made.extend(tmp_path.iterdir())
        remove_left()
        if step == "flock":
            real(*given)

    found = Store(from_environment())
    monkeypatch.setattr(owner, step, interrupted)
    found._claim()
    remove_left()
    assert [*tmp_path.iterdir()] == [found.folder]
    assert made not in ([], [found.folder])
    found.remove()
    assert [*tmp_path.iterdir()] == []
