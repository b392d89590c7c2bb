"""promobridge db copy: killed with kill -9, the target is of no use until it is run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app import config
from app.cli import main
from models.promotions import coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import schema
from models.store.base import database
from tests import stores
from tests.app.conftest import Run
from tests.copies import contents, copied
from tests.serving import environment
from tests.waiting import wait_until

CODES = 30_000
"""Codes that take a copy longer than a kill needs."""
COPIED = [0, 1, 15_000]
"""How many codes the target has when the copy is killed."""


@pytest.fixture
def source(run: Run, store: config.Settings) -> str:
    """Return the URL of a store with many codes."""
    words = f"batch generate --name Many --prefix M- --value 5 --size {CODES}".split()
    assert run(*words).exit_code == 0
    return store.database_url


def kill_at(folder: Path, source: str, target: str, codes: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "db", "copy", source, target],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def has_copied() -> bool:
        assert process.poll() is None, process.communicate()
        return is_marked(store) and len_of(store) >= codes

    try:
        with stores.session(target) as store:
            wait_until(has_copied)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -9


def test_a_copy_that_is_killed(tmp_path: Path, source: str, target: str) -> None:
    for codes in COPIED:
        kill_at(tmp_path, source, target, codes)
        with stores.session(target) as store:
            assert len_of(store) < CODES
    coupon_life.delete(Coupon.select(Coupon.id).order_by(Coupon.id).limit(1).scalar())
    coupons.add("AFTER", Terms.of(value=7))
    runner = CliRunner(env={config.variable("database_url"): target})
    for words in (["batch", "list"], ["serve", "--bind", "127.0.0.1:0"]):
        refused = runner.invoke(main, words)
        assert refused.exit_code == 1
        assert "holds a part of a copy" in refused.stderr
    with database.obj.connection_context():  # the command has bound the target
        assert schema.mismatch() == schema.PARTIAL
    database.close_all()
    assert "holds a part of a copy" in copied(target, f"sqlite:///{tmp_path}/other.db").stderr
    assert copied(source, target).exit_code == 0
    assert contents(source) == contents(target)
    assert runner.invoke(main, ["batch", "list"]).exit_code == 0


def is_marked(store: Any) -> bool:
    return any(name.startswith(schema.PART) for name in schema.applied(store))


def len_of(store: Any) -> int:
    """Return how many codes a database has, 0 before its tables are made."""
    if "coupon" not in store.get_tables():
        return 0
    return int(store.execute_sql("SELECT COUNT(*) FROM coupon").fetchone()[0])
