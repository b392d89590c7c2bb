"""The command promobridge import: what it sums up, refuses and reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from app import config
from tests.app.conftest import Run
from tests.saved import ONE, answer, batch, coupon, line, save

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


def page(number: int, pages: int, *codes: int) -> dict[str, Any]:
    """Return a page of listPromoCodes with its sorter."""
    sorter = {"perpage": 2, "totalpages": pages, "sorterrecords": str(2 * pages)}
    lines = answer("coupons", [line(coupon(each)) for each in codes])
    return lines | {"sorter": sorter | {"sorterpage": number + 1}}


def test_the_command_tells_which_pages_are_missing(run: Run, tmp_path: Path) -> None:
    first = save(tmp_path / "page0.json", page(0, 3, 1, 2))
    said = (
        "Warning: listPromoCodes has 6 rows on 3 pages, and the files hold {} of them: "
        "without {} (counted from 0) rows are missing\n"
    )
    done = run("import", first)
    assert (done.exit_code, done.stderr) == (0, said.format(1, "1, 2"))
    last = save(tmp_path / "page2.json", page(2, 3, 5, 6))
    assert run("import", first, last).stderr == said.format(2, "1")
    middle = save(tmp_path / "page1.json", page(1, 3, 3, 4))
    assert run("import", "--dry-run", last, first, middle).stderr == ""
    many = save(tmp_path / "many.json", page(7, 1000, 1))
    assert "17, 18, 19, 20 and 979 more (" in run("import", many).stderr
    past = save(tmp_path / "past.json", page(3, 3))
    assert run("import", past).stderr == said.format(0, "0, 1, 2")
    for odd in ({}, [], {"totalpages": "x", "sorterpage": None, "sorterrecords": -1}):
        file = save(tmp_path / "odd.json", page(0, 3, 1) | {"sorter": odd})
        assert run("import", file).stderr == ""


def test_what_is_half_known_becomes_known_by_a_word(run: Run, tmp_path: Path) -> None:
    assert run("import", save(tmp_path / "page0.json", page(0, 1, 1, 2))).exit_code == 0
    asked = ("call", "validatePromoCode", "code=SPRING1")
    assert json.loads(run(*asked).stdout)["reason"] == "terms_unknown"
    for use in (
        ("redeemPromoCode", "code=SPRING1"),
        ("applyInvoiceCoupon", "id=8", "applycoupon=1"),
    ):
        (said,) = json.loads(run("call", *use).stdout)["error"]
        assert said.endswith("are not known yet: `promobridge panel walk` reads them")
    assert run("coupon", "edit", "SPRING1", "--value", "15").exit_code == 0
    assert json.loads(run(*asked).stdout)["reason"] == "terms_unknown"
    assert run("coupon", "edit", "SPRING1", "--terms-known", "--max-usage", "3").exit_code == 0
    assert json.loads(run(*asked).stdout)["valid"] is True
    assert json.loads(run(*asked[:2], "code=SPRING2").stdout)["reason"] == "terms_unknown"
