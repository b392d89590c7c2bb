"""promobridge db copy: between all engines, killed at any moment, refused where it would harm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from peewee import SqliteDatabase

from app import backups, config, db
from app.cli import main
from app.cli.output import progress
from models import copying, coupon_life, coupons, recount, schema
from models.base import database
from models.coupons import Coupon
from models.engines import Mariadb, Sqlite
from models.terms import Terms
from tests import filled, stores
from tests.engine_servers import mariadb, postgresql
from tests.serving import environment
from tests.waiting import SECONDS, wait_until

ENGINES = {"postgresql": postgresql, "mariadb": mariadb}
CODES = 30_000
"""Codes that take a copy longer than a kill needs."""
COPIED = [0, 1, 15_000]
"""How many codes the target has when the copy is killed."""
Made = Callable[[str], str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Return a function that makes an empty database of an engine and returns its URL."""
    servers: dict[str, str] = {}
    count = 0
    with ExitStack() as stack:

        def make(engine: str) -> str:
            nonlocal count
            count += 1
            if engine == "sqlite":
                return f"sqlite:///{tmp_path_factory.mktemp('copy')}/copy.db"
            if engine not in servers:
                servers[engine] = stack.enter_context(ENGINES[engine]())
            admin = stores.ADMINISTRATED[servers[engine].partition(":")[0]]
            with stores.session(servers[engine] + admin) as server:
                server.execute_sql(f"CREATE DATABASE copy_{count}")
            return f"{servers[engine]}copy_{count}"

        yield make


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def target(request: pytest.FixtureRequest, made: Made) -> str:
    """Return the URL of an empty database, of each engine."""
    need(request.param)
    return made(request.param)


def need(engine: str) -> None:
    """Skip a test where the server of an engine is not installed; CI may not do without."""
    program = {"mariadb": "mariadb-install-db", "postgresql": "pg_config"}.get(engine)
    folders = Path("/").glob("usr/lib/postgresql/*/bin")
    if (
        engine == "sqlite"
        or shutil.which(str(program))
        or (engine == "postgresql" and any(folders))
    ):
        return
    assert "CI" not in os.environ, f"CI must install {engine}"
    pytest.skip(f"{engine} is not installed here")


def copied(source: str, target: str, *options: str, **given: Any) -> Result:
    return CliRunner().invoke(main, ["db", "copy", source, target, *options], **given)


def contents(url: str) -> dict[str, copying.Content]:
    with stores.session(url) as store:
        return copying.contents(store)


def test_every_table_of_the_database_is_copied(store: config.Settings) -> None:
    names = {table._meta.table_name for table in copying.tables()}
    assert names == set(database.get_tables()) - {schema.HISTORY, "sqlite_sequence"}
    assert [table is Terms for table in copying.tables()].index(True) < copying.tables().index(
        Coupon
    )


def test_a_digest_is_the_same_whatever_slices_the_rows_came_in() -> None:
    rows = [(1, "a", None), (2, '"],[', b"\x00\xff"), (3, "\U0001f381", 2**63 - 1)]
    one, two = copying.Sum(), copying.Sum()
    one.add(rows)
    for row in rows:
        two.add([row])
    assert one.content() == two.content()
    assert one.content().rows == 3
    other = copying.Sum()
    other.add([(1, "a", None), (2, '"],[', b"\x00\xff"), (3, "\U0001f381", 2**63 - 2)])
    assert other.content() != one.content()


@pytest.mark.skipif(not stores.SQLITE, reason="it brings all engines itself")
def test_a_round_through_all_engines_ends_equal(
    tmp_path: Path, app: Flask, settings: config.Settings, made: Made, still_time: int
) -> None:
    need("postgresql")
    need("mariadb")
    secret = filled.fill(tmp_path, app)
    last = coupons.add("NEWEST", Terms.of()).id
    coupon_life.delete(last)
    app.config["USAGE_LOG"].close()
    first = contents(settings.database_url)
    assert all(content.rows for content in first.values())
    urls = [settings.database_url]
    for engine in ("postgresql", "mariadb", "sqlite"):
        urls.append(made(engine))
        done = copied(urls[-2], urls[-1], "--json")
        assert (done.exit_code, done.stderr) == (0, "")
        said = json.loads(done.stdout)["tables"]
        assert {name: copying.Content(**each) for name, each in said.items()} == first
    assert [contents(url) for url in urls] == [first] * 4
    assert len({repr(filled.answers(config.Settings(url), secret)) for url in urls}) == 1
    for url in urls:
        bound = db.bind(config.Settings(url))
        with bound.connection_context():
            assert list(recount.differences()) == []
            assert coupons.add("NEXT", Terms.of()).id == last + 1
        bound.close_all()
    file = tmp_path / "backup.db"
    for url in (*urls[:-1], made("sqlite")):
        with stores.session(urls[2]) as source:
            backups.make(source, file, progress, force=True)
        with stores.session(url) as store:
            backups.restore(file, store, progress, replace=True)
        assert contents(url) == contents(urls[2])


class TestKills:
    """kill -9 a copy when so many codes are there, and see the next go on."""

    @pytest.fixture
    def source(self, store: config.Settings) -> str:
        """Return the URL of a store with many codes."""
        done = CliRunner(env={"PROMOBRIDGE_DATABASE_URL": store.database_url}).invoke(
            main,
            f"batch generate --name Many --prefix M- --value 5 --size {CODES}".split(),
        )
        assert done.exit_code == 0
        return store.database_url

    def start(self, folder: Path, source: str, target: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", "db", "copy", source, target],
            cwd=folder,
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill_at(self, folder: Path, source: str, target: str, codes: int) -> None:
        process = self.start(folder, source, target)

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

    def test_a_copy_that_is_killed_goes_on(self, tmp_path: Path, source: str, target: str) -> None:
        for codes in COPIED:
            self.kill_at(tmp_path, source, target, codes)
        listed = CliRunner(env={"PROMOBRIDGE_DATABASE_URL": target}).invoke(main, ["batch", "list"])
        assert listed.exit_code == 1
        assert "holds a part of a copy" in listed.stderr
        with database.obj.connection_context():  # the command has bound the target
            assert schema.mismatch() == schema.PARTIAL
        database.close_all()
        with stores.session(target) as store:
            before = len_of(store)
            count_inserts(store)
        process = self.start(tmp_path, source, target)
        said, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, said
        assert contents(source) == contents(target)
        assert before < CODES
        with stores.session(target) as store:
            assert inserted(store) == CODES - before

    def test_a_change_of_what_was_copied_is_copied(
        self, tmp_path: Path, source: str, target: str
    ) -> None:
        self.kill_at(tmp_path, source, target, 10_000)
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


class TestRefusals:
    @pytest.fixture
    def source(self, store: config.Settings) -> str:
        """Return the URL of a store with a code."""
        coupons.add("MINE", Terms.of())
        return store.database_url

    def refused(self, source: str, target: str, **given: Any) -> str:
        result = copied(source, target, **given)
        assert (result.exit_code, result.stdout) == (1, "")
        return result.stderr

    def test_a_target_that_holds_something(self, source: str, target: str) -> None:
        assert copied(source, target).exit_code == 0
        before = contents(target)
        coupons.add("ANOTHER", Terms.of())
        said = self.refused(source, target)
        assert said == (
            "Error: The target holds something already (1 of terms): name an empty database\n"
        )
        assert contents(target) == before

    def test_a_target_of_something_else(self, source: str, target: str) -> None:
        with stores.session(target) as other:
            other.execute_sql("CREATE TABLE ledger (id INTEGER)")
        assert "holds tables of something else (ledger)" in self.refused(source, target)

    def test_a_part_of_a_copy_of_another_store(self, source: str, target: str) -> None:
        with stores.session(target) as other:
            schema.history(other).create_table()
            schema.history(other).create(name=f"{schema.PART}another")
        assert "a part of a copy of another store" in self.refused(source, target)

    def test_a_copy_to_itself(self, source: str, tmp_path: Path) -> None:
        assert "the same database" in self.refused(source, source)
        if stores.SQLITE:
            (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
            assert "the same database" in self.refused(source, f"sqlite:///{tmp_path}/link.db")

    def test_schemas_of_other_versions(self, source: str, target: str) -> None:
        with stores.session(target) as other:
            schema.upgrade(other)
            history = schema.history(other)
            history.delete().where(history.name.startswith("0004")).execute()
        assert "older than this version" in self.refused(source, target)
        assert "older than this version" in self.refused(target, source)

    def test_a_source_that_there_is_not(self, source: str, target: str, tmp_path: Path) -> None:
        missing = tmp_path / "missing.db"
        said = self.refused(f"sqlite:///{missing}", target)
        assert said == "Error: FROM_URL: there is no such file\n"
        assert not missing.exists()
        SqliteDatabase(str(missing)).execute_sql("CREATE TABLE ledger (id INTEGER)")
        assert "holds no promobridge store" in self.refused(f"sqlite:///{missing}", target)

    @pytest.mark.skipif(not stores.SQLITE, reason="others hold no such text themselves")
    def test_a_text_that_the_target_cannot_hold(self, source: str, target: str) -> None:
        row = coupons.add("BEFORE", Terms.of())
        Coupon.update(code="C" * 40).where(Coupon.id == row.id).execute()
        if target.startswith("sqlite"):
            assert copied(source, target).exit_code == 0
        else:
            said = self.refused(source, target)
            assert f"The target refuses coupon {row.id}: " in said
            assert "CCCC" not in said
            Coupon.update(code="C" * 32).where(Coupon.id == row.id).execute()
            assert copied(source, target).exit_code == 0

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://who:pa55word@127.0.0.1:1/store",
            "mysql://who:pa55word@127.0.0.1:1/store",
            "postgresql://who:pa55word@127.0.0.1:1/",
            "mysql://who:pa55word@127.0.0.1:port/store",
            "oracle://who:pa55word@127.0.0.1/store",
            "sqlite://pa55word",
        ],
    )
    def test_no_password_is_shown(self, source: str, url: str, tmp_path: Path) -> None:
        for ends in ((source, url), (url, f"sqlite:///{tmp_path}/made.db")):
            assert "pa55word" not in self.refused(*ends)


def test_urls_come_from_the_environment_and_standard_input(
    store: config.Settings, tmp_path: Path
) -> None:
    given = "env:PROMOBRIDGE_DATABASE_URL"
    environ = {given.removeprefix("env:"): store.database_url}
    target = f"sqlite:///{tmp_path}/made.db"
    assert copied(given, "-", input=f"{target}\n", env=environ).exit_code == 0
    other = f"sqlite:///{tmp_path}/other.db"
    assert copied("-", "-", input=f"{target}\n{other}\n").exit_code == 0
    assert contents(store.database_url) == contents(target) == contents(other)
    missing = copied("env:NO_SUCH_VARIABLE", target)
    assert missing.exit_code == 1
    assert missing.stderr == "Error: There is no NO_SUCH_VARIABLE in the environment\n"


def test_a_source_file_is_only_read(store: config.Settings, tmp_path: Path) -> None:
    file = tmp_path / "source.db"
    with stores.session(store.database_url) as source:
        backups.make(source, file, progress)
    before = file.read_bytes()
    assert copied(f"sqlite:///{file}", f"sqlite:///{tmp_path}/target.db").exit_code == 0
    assert file.read_bytes() == before
