"""The command promobridge import: what it sums up, refuses and reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from app import config
from tests.app.conftest import Run
from tests.saved import ONE, answer, batch, coupon, save

ROOT = Path(__file__).parents[2]


def test_the_command_sums_up(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    save(path, answer("batches", [batch(8, []), batch(7, [coupon(70, 7), coupon(71, 7)])]))
    tried = run("import", "--dry-run", "--json", str(path))
    assert (tried.exit_code, tried.stderr) == (0, "")
    assert json.loads(tried.stdout) == {
        "read": 4,
        "new": 4,
        "changed": 0,
        "unchanged": 0,
        "files": 1,
        "batches": {"read": 2, "new": 2, "changed": 0, "unchanged": 0},
        "coupons": {"read": 2, "new": 2, "changed": 0, "unchanged": 0},
        "dry_run": True,
    }
    first = run("import", str(path))
    assert first.stdout.split("\n") == [
        "         read  new  changed  unchanged",
        "batches  2     2    0        0",
        "coupons  2     2    0        0",
        "",
    ]
    save(
        path,
        answer("batches", [batch(8, [], name="New"), batch(7, [coupon(70, 7), coupon(71, 7)])]),
    )
    again = json.loads(run("import", "--json", str(path), str(path)).stdout)
    assert {name: again[name] for name in ("read", "new", "changed", "unchanged", "files")} == {
        "read": 8,
        "new": 0,
        "changed": 1,
        "unchanged": 7,
        "files": 2,
    }
    assert "Nothing was stored" in run("import", "--dry-run", str(path)).stdout


def test_the_command_says_what_it_refuses(run: Run, tmp_path: Path) -> None:
    refused = run("import", save(tmp_path / "a.json", {"success": False}))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == f"Error: {tmp_path}/a.json: is the answer of a call that failed\n"
    assert run("import").exit_code == 2
    help_ = run("import", "--help").stdout
    assert "curl" in help_
    assert "-d call=listPromoBatches" in help_


def test_a_real_process_reads_pipes(settings: config.Settings, tmp_path: Path) -> None:
    """What can be read only once is: standard input, and a pipe that has a name."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "app.cli", "import", "--json", "-", str(fifo)]
    environ = os.environ | {config.variable("database_url"): settings.database_url}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(ONE))
        process.stdin.close()
        process.stdin = None
        fifo.write_text(json.dumps(answer("batches", [batch(7, [])])))
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, errors) == (0, "")
    assert json.loads(out)["new"] == 2
