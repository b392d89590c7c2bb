"""Copies of a store: which tables they hold, their digests, and who else is at the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import config
from models.promotions import coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import schema
from models.store.base import database
from models.store.errors import Conflict
from models.transfer import tables
from models.transfer.copy import copy_store
from models.transfer.tables import read
from tests import stores
from tests.copies import contents, copied


@pytest.fixture
def source(store: config.Settings) -> str:
    """Return the URL of a store with two codes."""
    coupons.add("ONE", Terms.of())
    coupons.add('"],[é', Terms.of(value=5))
    return store.database_url


@pytest.fixture
def target(tmp_path: Path) -> str:
    """Return the URL of a database that there is not yet."""
    return f"sqlite:///{tmp_path}/target.db"


def test_every_table_of_the_database_is_copied(store: config.Settings) -> None:
    found = tables.tables()
    names = {table._meta.table_name for table in found}
    assert names == set(database.get_tables()) - {schema.HISTORY, "sqlite_sequence"}
    assert found.index(Terms) < found.index(Coupon)


def test_a_digest_is_the_same_whatever_slices_the_rows_came_in(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    whole = read(database.obj, lambda table, rows: sizes.append(len(rows)))
    assert max(sizes) > 1
    monkeypatch.setattr(tables, "ROWS", 1)
    sizes.clear()
    assert read(database.obj, lambda table, rows: sizes.append(len(rows))) == whole
    assert set(sizes) == {1}
    assert whole["coupon"].rows == 2
    Coupon.update(active=False).where(Coupon.code == "ONE").execute()
    changed = read(database.obj)
    assert [name for name in whole if changed[name] != whole[name]] == ["coupon"]


def failed_with(source: str, target: str, disturbance: str) -> str:
    """Return why a copy failed that was disturbed when all rows had been copied."""
    awaited = sum(content.rows for content in contents(source).values())

    def advance(rows: int) -> None:
        nonlocal awaited
        awaited -= rows
        if awaited:
            return
        if disturbance == "a copy":
            assert copied(source, target).exit_code == 0
        else:
            with stores.session(target) as another:
                another.execute_sql("UPDATE coupon SET num_usage = 9")

    with (
        stores.session(source) as one,
        stores.session(target) as other,
        pytest.raises(Conflict) as refused,
    ):
        copy_store(one, other, advance)
    return refused.value.sentence


def test_what_is_written_to_the_target_meanwhile_is_found(source: str, target: str) -> None:
    assert "The copy differs" in failed_with(source, target, "a writer")
    assert "part of a copy" in copied(target, f"{target}.2").stderr
    assert copied(source, target).exit_code == 0
    assert contents(source) == contents(target)


def test_a_copy_that_begins_while_another_one_ends_is_the_one_that_counts(
    source: str, target: str
) -> None:
    assert "nothing else may write to the target" in failed_with(source, target, "a copy")
    assert contents(source) == contents(target)
    assert copied(target, f"{target}.2").exit_code == 0
