"""promobridge db copy: killed with kill -9 when so many codes are there, the next one goes on."""

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
from models.store.engines import Mariadb, Sqlite
from tests import stores
from tests.app.conftest import Run
from tests.copies import contents, copied
from tests.serving import environment
from tests.waiting import SECONDS, wait_until

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


def start(folder: Path, source: str, target: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "db", "copy", source, target],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_at(folder: Path, source: str, target: str, codes: int) -> None:
    process = start(folder, source, target)

    def has_copied() -> bool:
        assert process.poll() is None, process.communicate()
        return len_of(store) >= codes

    try:
        with stores.session(target) as store:
            wait_until(has_copied)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -9


def test_a_copy_that_is_killed_goes_on(tmp_path: Path, source: str, target: str) -> None:
    for codes in COPIED:
        kill_at(tmp_path, source, target, codes)
    listed = CliRunner(env={"PROMOBRIDGE_DATABASE_URL": target}).invoke(main, ["batch", "list"])
    assert listed.exit_code == 1
    assert "holds a part of a copy" in listed.stderr
    with database.obj.connection_context():  # the command has bound the target
        assert schema.mismatch() == schema.PARTIAL
    database.close_all()
    with stores.session(target) as store:
        before = len_of(store)
        count_inserts(store)
    process = start(tmp_path, source, target)
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    assert contents(source) == contents(target)
    assert before < CODES
    with stores.session(target) as store:
        assert inserted(store) == CODES - before


def test_a_change_of_what_was_copied_is_copied(tmp_path: Path, source: str, target: str) -> None:
    kill_at(tmp_path, source, target, 10_000)
    coupon_life.delete(Coupon.select(Coupon.id).order_by(Coupon.id).limit(1).scalar())
    coupons.add("AFTER", Terms.of(value=7))
    assert copied(source, target).exit_code == 0
    assert contents(source) == contents(target)


def len_of(store: Any) -> int:
    """Return how many codes a database has, 0 before its tables are made."""
    if "coupon" not in store.get_tables():
        return 0
    return int(store.execute_sql("SELECT COUNT(*) FROM coupon").fetchone()[0])


def count_inserts(store: Any) -> None:
    """Let a database count the codes that come from now on."""
    store.execute_sql("CREATE TABLE seen (n INTEGER)")
    body = "INSERT INTO seen VALUES (1)"
    begin = "CREATE TRIGGER watch AFTER INSERT ON coupon FOR EACH ROW"
    if isinstance(store, Sqlite):
        store.execute_sql(f"{begin} BEGIN {body}; END")
    elif isinstance(store, Mariadb):
        store.execute_sql(f"{begin} {body}")
    else:
        store.execute_sql(
            f"CREATE FUNCTION watch() RETURNS trigger AS 'BEGIN {body}; RETURN NEW; END'"
            " LANGUAGE plpgsql"
        )
        store.execute_sql(f"{begin} EXECUTE FUNCTION watch()")


def inserted(store: Any) -> int:
    return int(store.execute_sql("SELECT COUNT(*) FROM seen").fetchone()[0])
