"""Routes in real processes: switched by a command, in force on every worker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from app.config import Settings
from models.panel import differences
from models.redemptions.redemption import Redemption
from tests.panel.fronts import register, taken_over
from tests.panel.php_panel import PhpPanel
from tests.serving import Server, environment, served
from tests.waiting import wait_until

DETAILS, APPLY = "getPromoDetailsByCode", "applyInvoiceCoupon"
CODE = "SINGLE000"
ENOUGH = 12
"""So many calls that both workers have answered some."""


@pytest.fixture
def server(panel: PhpPanel, store: Settings, tmp_path: Path, web_server: str) -> Iterator[Server]:
    """Return each web server in turn in front of the panel, with two workers."""
    register(panel)
    taken_over(panel, tmp_path, CODE)
    options = panel.environment() | {"PROMOBRIDGE_JOB_WORKERS": "0"}
    with served(tmp_path, web_server=web_server, **options) as running:
        yield running


def ask(server: Server, panel: PhpPanel, call: str, **arguments: Any) -> Any:
    return server.get(urlencode(panel.credentials | {"call": call} | arguments)).value


def command(folder: Path, panel: PhpPanel, *words: str) -> Any:
    """Run a command of `promobridge panel` as an operator does; return its value."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "panel", *words, "--json"],
        cwd=folder,
        env=environment(folder, **panel.environment()),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_read_goes_from_the_panel_into_its_shadow_and_here(
    server: Server, panel: PhpPanel, tmp_path: Path
) -> None:
    def reached() -> int:
        return len(panel.journal(DETAILS))

    def is_theirs() -> bool:
        before = reached()
        assert ask(server, panel, DETAILS, code=CODE)["success"]
        return reached() > before

    assert is_theirs()
    command(tmp_path, panel, "route", DETAILS, "shadow", "--anyway")
    compared = differences.comparisons
    wait_until(lambda: is_theirs() and DETAILS.lower() in compared(), why=server.log)
    command(tmp_path, panel, "diffs", "--clear")
    assert all(is_theirs() for _ in range(ENOUGH))
    wait_until(lambda: compared()[DETAILS.lower()].equal >= ENOUGH, why=server.log)
    command(tmp_path, panel, "route", DETAILS, "local", "--anyway")
    wait_until(lambda: not any(is_theirs() for _ in range(ENOUGH)))
    command(tmp_path, panel, "route", DETAILS, "forward")
    wait_until(lambda: all(is_theirs() for _ in range(ENOUGH)))


def test_a_write_goes_by_its_new_route_at_once(
    server: Server, panel: PhpPanel, tmp_path: Path
) -> None:
    """No worker waits for its copy: the first call after the command goes the new way."""
    invoices = iter(range(801, 860, 2))
    for mode, here, there in [("write-through", 1, 1), ("local", 1, 0), ("forward", 0, 1)]:
        command(tmp_path, panel, "route", APPLY, mode, "--anyway")
        for _ in range(4):
            uses, reached = Redemption.select().count(), len(panel.journal(APPLY))
            assert ask(server, panel, APPLY, id=next(invoices), applycoupon=CODE)["success"]
            assert Redemption.select().count() == uses + here
            assert len(panel.journal(APPLY)) == reached + there
