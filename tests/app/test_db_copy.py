"""promobridge db copy: between all engines, and where its URLs come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from app import config, db
from app.exchange import backup
from models.checks import recount
from models.promotions import coupon_life, coupons
from models.promotions.terms import Terms
from models.transfer.tables import Content
from tests import filled, stores
from tests.copies import NewDatabase, contents, copied


@pytest.mark.skipif(not stores.SQLITE, reason="it brings all engines itself")
def test_a_round_through_all_engines_ends_equal(
    tmp_path: Path,
    app: Flask,
    settings: config.Settings,
    new_database: NewDatabase,
    still_time: int,
) -> None:
    secret = filled.fill(tmp_path, app)
    last = coupons.add("NEWEST", Terms.of()).id
    coupon_life.delete(last)
    app.config["USAGE_LOG"].close()
    first = contents(settings.database_url)
    assert [name for name, content in first.items() if not content.rows] == []
    urls = [settings.database_url]
    for engine in ("postgresql", "mariadb", "sqlite"):
        urls.append(new_database(engine))
        done = copied(urls[-2], urls[-1], "--json")
        assert (done.exit_code, done.stderr) == (0, "")
        said = json.loads(done.stdout)["tables"]
        assert {name: Content(**each) for name, each in said.items()} == first
    assert [contents(url) for url in urls] == [first] * 4
    assert len({repr(filled.answers(config.Settings(url), secret)) for url in urls}) == 1
    for url in urls:
        bound = db.bind(config.Settings(url))
        with bound.connection_context():
            assert list(recount.differences()) == []
            assert coupons.add("NEXT", Terms.of()).id == last + 1
        bound.close_all()
    file = tmp_path / "backup.db"
    for url in (*urls[:-1], new_database("sqlite")):
        with stores.session(urls[2]) as source:
            backup.make(source, file, lambda rows: None, force=True)
        with stores.session(url) as store:
            backup.restore(file, store, lambda rows: None, replace=True)
        assert contents(url) == contents(urls[2])


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
        backup.make(source, file, lambda rows: None)
    before = file.read_bytes()
    assert copied(f"sqlite:///{file}", f"sqlite:///{tmp_path}/target.db").exit_code == 0
    assert file.read_bytes() == before
