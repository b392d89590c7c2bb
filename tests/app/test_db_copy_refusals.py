"""promobridge db copy refuses what would do harm, and shows no password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from peewee import SqliteDatabase

from app import config
from models.promotions import coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import schema
from tests import stores
from tests.copies import contents, copied


@pytest.fixture
def source(store: config.Settings) -> str:
    """Return the URL of a store with a code."""
    coupons.add("MINE", Terms.of())
    return store.database_url


def refused(source: str, target: str, **given: Any) -> str:
    result = copied(source, target, **given)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


def test_a_target_that_holds_something(source: str, target: str) -> None:
    assert copied(source, target).exit_code == 0
    before = contents(target)
    coupons.add("ANOTHER", Terms.of())
    said = refused(source, target)
    assert said.startswith("Error: The target holds tables (access, ")
    assert said.endswith("): name an empty database\n")
    assert contents(target) == before


@pytest.mark.parametrize("table", ["ledger", "player"])  # the latter is a name of ours
def test_a_target_of_something_else(source: str, target: str, table: str) -> None:
    with stores.session(target) as other:
        other.execute_sql(f"CREATE TABLE {table} (id INTEGER)")
        other.execute_sql(f"INSERT INTO {table} VALUES (7)")  # noqa: S608  # our own names
    assert f"The target holds tables ({table})" in refused(source, target)
    with stores.session(target) as other:
        assert other.get_tables() == [table]
        rows = other.execute_sql(f"SELECT * FROM {table}")  # noqa: S608  # our own names
        assert list(rows.fetchall()) == [(7,)]


def test_a_part_of_a_copy_of_another_store_is_given_up(source: str, target: str) -> None:
    with stores.session(target) as other:
        schema.history(other).create_table()
        schema.history(other).create(name=f"{schema.PART}another")
    assert copied(source, target).exit_code == 0
    assert contents(target) == contents(source)


def test_a_part_of_a_copy_that_a_newer_version_began(source: str, target: str) -> None:
    with stores.session(target) as other:
        schema.upgrade(other)
        for name in ("9999_from_the_future", f"{schema.PART}another"):
            schema.history(other).create(name=name)
    assert "newer than this version" in refused(source, target)


def test_a_copy_to_itself(source: str, tmp_path: Path) -> None:
    assert "the same database" in refused(source, source)
    if stores.SQLITE:
        (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
        assert "The target holds tables" in refused(source, f"sqlite:///{tmp_path}/link.db")


def test_schemas_of_other_versions(source: str, target: str) -> None:
    with stores.session(target) as other:
        schema.upgrade(other)
        history = schema.history(other)
        history.delete().where(history.name.startswith("0004")).execute()
    assert "The target holds tables" in refused(source, target)
    assert "older than this version" in refused(target, source)


def test_a_source_that_there_is_not(source: str, target: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    said = refused(f"sqlite:///{missing}", target)
    assert said == f"Error: There is no file {missing}\n"
    assert not missing.exists()
    SqliteDatabase(str(missing)).execute_sql("CREATE TABLE ledger (id INTEGER)")
    assert "holds no promobridge store" in refused(f"sqlite:///{missing}", target)


@pytest.mark.skipif(not stores.SQLITE, reason="others hold no such text themselves")
def test_a_text_that_the_target_cannot_hold(source: str, target: str) -> None:
    Coupon.update(code="C" * 40).execute()
    if target.startswith("sqlite"):
        assert copied(source, target).exit_code == 0
    else:
        said = refused(source, target)
        assert "The target refuses a coupon: " in said
        assert "CCCC" not in said
        Coupon.update(code="C" * 32).execute()
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
def test_no_password_is_shown(source: str, url: str, tmp_path: Path) -> None:
    for ends in ((source, url), (url, f"sqlite:///{tmp_path}/made.db")):
        assert "pa55word" not in refused(*ends)
