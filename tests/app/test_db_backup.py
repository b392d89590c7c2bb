"""promobridge db backup and restore: a file that is whole, proved, and its owner's only."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import config
from app.cli import main
from models.access import accesses
from models.promotions import batch_life, coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store.base import database
from models.transfer.tables import Content
from tests import stores
from tests.app.conftest import Run
from tests.copies import contents
from tests.recount import assert_counts_are_right


@pytest.fixture
def file(run: Run, store: config.Settings, tmp_path: Path) -> Path:
    """Return a backup of a store with a batch and a code, and delete its newest code after."""
    batch_life.make("Spring", Terms.of(value=5), 30)
    coupons.add("ALONE", Terms.of(max_usage=1))
    accesses.add("shop")
    coupon_life.delete(coupons.add("DELETED", Terms.of()).id)
    path = tmp_path / "backup.db"
    done = run("db", "backup", path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(f"Backed up to {path}: ")
    return path


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """Return the URL of a database without tables."""
    (tmp_path / "bare").mkdir()
    return stores.bare_url(tmp_path / "bare")


def restored(url: str, file: Path, *options: str) -> Result:
    environ = {config.variable("database_url"): url}
    return CliRunner(env=environ).invoke(main, ["db", "restore", str(file), *options])


def test_a_backup_is_restored_to_an_empty_database(
    file: Path, settings: config.Settings, bare: str
) -> None:
    before = contents(settings.database_url)
    done = restored(bare, file, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert {name: Content(**each) for name, each in said["tables"].items()} == before
    assert said["tables"]["coupon"]["rows"] == 31
    assert contents(bare) == before
    assert_counts_are_right()  # of what the command has bound: the restored one
    assert coupons.add("NEXT", Terms.of()).id == 33  # 32 was deleted and never comes again
    database.close_all()


def test_a_backup_is_a_store_itself(file: Path) -> None:
    environ = {config.variable("database_url"): f"sqlite:///{file}"}
    listed = CliRunner(env=environ).invoke(main, ["batch", "list", "--json"])
    assert json.loads(listed.stdout)["total"] == 1


def test_a_backup_is_for_its_owner_only_and_alone(file: Path, tmp_path: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert not [each for each in os.listdir(tmp_path) if each.startswith(".promobridge")]
    assert not list(tmp_path.glob("backup.db-*"))


def test_what_is_there_is_kept_unless_forced(run: Run, file: Path) -> None:
    before = file.read_bytes()
    refused = run("db", "backup", file)
    assert refused.exit_code == 1
    assert refused.stderr == f"Error: {file} is there already: use --force to replace it\n"
    assert file.read_bytes() == before
    coupons.add("MORE", Terms.of())
    assert run("db", "backup", file, "--force").exit_code == 0
    with closing(sqlite3.connect(file)) as backup:
        assert backup.execute("SELECT COUNT(*) FROM coupon").fetchone() == (32,)


def test_a_backup_that_cannot_be_made_leaves_nothing(run: Run, file: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "backup.db", tmp_path):
        refused = run("db", "backup", path, "--force")
        assert refused.exit_code == 1
        assert refused.stderr.startswith("Error: ")
    assert not [each for each in os.listdir(tmp_path) if each.startswith(".promobridge")]


@pytest.mark.skipif(not stores.SQLITE, reason="no other store is a file")
def test_the_store_itself_is_not_replaced(run: Run, file: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to("store.db")
    for name in ("store.db", "link.db"):
        for words in (("backup", "--force"), ("restore", "--replace", "--yes")):
            refused = run("db", *words, tmp_path / name)
            assert refused.stderr == f"Error: {tmp_path / name} is the store itself\n"


def test_a_store_that_holds_something_is_kept_unless_replaced(
    run: Run, file: Path, settings: config.Settings
) -> None:
    kept = contents(settings.database_url)
    Coupon.update(active=False).where(Coupon.id == 3).execute()
    batch_life.make("Later", Terms.of(value=9), 5)
    changed = contents(settings.database_url)
    refused = run("db", "restore", file)
    assert refused.exit_code == 1
    assert "The target holds tables (access, " in refused.stderr
    unasked = run("db", "restore", file, "--replace")
    assert unasked.exit_code == 2
    assert "--replace needs --yes" in unasked.stderr
    assert contents(settings.database_url) == changed != kept
    done = run("db", "restore", file, "--replace", "--yes")
    assert done.exit_code == 0
    assert contents(settings.database_url) == kept
    assert run("db", "check").exit_code == 0
    # Ids that were given here meanwhile never come again either.
    assert coupons.add("NEXT", Terms.of()).id == 38


class TestProof:
    """A file that is not what was made is refused before the target is touched."""

    def refused(self, bare: str, file: Path) -> str:
        result = restored(bare, file)
        assert (result.exit_code, result.stdout) == (1, "")
        with stores.session(bare) as store:
            assert store.get_tables() == []
        return result.stderr

    def test_a_changed_file(self, file: Path, bare: str) -> None:
        with closing(sqlite3.connect(file)) as backup, backup:
            backup.execute("UPDATE coupon SET active = 0 WHERE id = 7")
        assert "was changed after it was made" in self.refused(bare, file)

    def test_a_damaged_file(self, file: Path, bare: str) -> None:
        whole = file.read_bytes()
        for cut in (100, len(whole) // 2):
            file.write_bytes(whole[:cut])
            assert "The file is no database, or damaged" in self.refused(bare, file)
        file.write_bytes(b"\0" * 4096 + whole[4096:])
        assert "The file is no database, or damaged" in self.refused(bare, file)

    def test_another_file(self, tmp_path: Path, bare: str) -> None:
        other = tmp_path / "other.db"
        assert "There is no file" in self.refused(bare, other)
        with closing(sqlite3.connect(other)) as made, made:
            made.execute("CREATE TABLE ledger (id INTEGER)")
        assert "was not made by" in self.refused(bare, other)

    def test_a_backup_of_another_version(self, file: Path, bare: str) -> None:
        with closing(sqlite3.connect(file)) as backup, backup:
            backup.execute("DELETE FROM schema_migration WHERE name LIKE '0004%'")
        assert "older than this version" in self.refused(bare, file)
