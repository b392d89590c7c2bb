"""promobridge db: upgrades, refusals of another schema, and the check of all counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from peewee import SqliteDatabase
from playhouse.migrations import Runner

from app import config
from app.cli import db as db_command
from app.cli import main
from models import batch_life, coupons, schema
from models.batches import Batch
from models.coupons import Coupon
from models.terms import Terms

Run = Callable[..., Result]
NAMES = sorted(path.stem for path in schema.MIGRATIONS.glob("0*.py"))


@pytest.fixture
def run(settings: config.Settings) -> Run:
    """Return a function that runs one command over the store of the test."""
    runner = CliRunner(env={config.variable("database_url"): settings.database_url})
    return lambda *arguments: runner.invoke(main, arguments)


@pytest.fixture
def old(tmp_path: Path) -> SqliteDatabase:
    """Return the store as the first migration alone makes it."""
    store = SqliteDatabase(str(tmp_path / "store.db"))
    Runner(store, directory=str(schema.MIGRATIONS)).up(NAMES[0])
    store.close()
    return store


def test_an_older_schema_is_refused_until_it_is_upgraded(run: Run, old: SqliteDatabase) -> None:
    for command in (("batch", "list"), ("db", "check"), ("serve", "--bind", "127.0.0.1:0")):
        refused = run(*command)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == (
            "Error: The database schema is older than this version (missing: "
            f"{', '.join(NAMES[1:])}): run `promobridge db upgrade`.\n"
        )
    done = run("db", "upgrade")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"applied {name}" for name in NAMES[1:]]
    again = run("db", "upgrade")
    assert (again.exit_code, again.stdout) == (0, "The schema is current.\n")
    assert run("batch", "list").exit_code == run("db", "check").exit_code == 0


def test_an_upgrade_keeps_what_is_stored(run: Run, old: SqliteDatabase) -> None:
    terms = Terms().content()
    old.execute_sql(
        "INSERT INTO coupon (batch_id, code, live, realm, active, num_usage, imported_usage,"
        " terms_id) VALUES (0, 'KEPT', 1, 0, 1, 3, 3, 5)"
    )
    columns = {row.name for row in old.get_columns("terms")} - {"id"}
    values = {name: str(terms[name] or 0) for name in columns} | {"extra": "{}", "expires": None}
    old.execute_sql(
        f"INSERT INTO terms (id, {', '.join(values)}) VALUES (5{', ?' * len(values)})",  # noqa: S608 - names of columns
        list(values.values()),
    )
    old.execute_sql("UPDATE tally SET n = 1 WHERE name IN ('coupons', 'single_coupons')")
    old.close()
    assert run("db", "upgrade").exit_code == 0
    assert run("db", "check").stdout == "All counts are right.\n"


def test_upgrade_as_json(run: Run) -> None:
    assert json.loads(run("db", "upgrade", "--json").stdout) == {"migrations": NAMES}
    assert json.loads(run("db", "upgrade", "--json").stdout) == {"migrations": []}


def test_a_newer_schema_is_refused(run: Run, tmp_path: Path) -> None:
    assert run("db", "upgrade").exit_code == 0
    store = SqliteDatabase(str(tmp_path / "store.db"))
    runner = Runner(store, directory=str(schema.MIGRATIONS))
    columns = [row.name for row in store.get_columns(runner.table_name)]
    row = dict.fromkeys(columns, 1) | {"name": "9999_from_the_future"} | {"id": 999}
    row = {name: value for name, value in row.items() if name in columns}
    store.execute_sql(
        f"INSERT INTO {runner.table_name} ({', '.join(row)})"  # noqa: S608 - names of columns
        f" VALUES ({', '.join('?' * len(row))})",
        list(row.values()),
    )
    store.close()
    for command in (("batch", "list"), ("db", "check"), ("serve", "--bind", "127.0.0.1:0")):
        refused = run(*command)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == (
            "Error: The database schema is newer than this version (unknown: "
            "9999_from_the_future): install a newer promobridge.\n"
        )


def test_check_names_each_difference_in_a_line(run: Run, store: config.Settings) -> None:
    batch_life.make("Spring", Terms.of(), 2)
    coupons.add("TWO\nLINES", Terms.of(max_usage=1))
    assert run("db", "check").stdout == "All counts are right.\n"
    Batch.update(coupons_used=7).execute()
    Coupon.update(num_usage=1).where(Coupon.batch_id == 0).execute()
    found = run("db", "check")
    assert (found.exit_code, found.stderr) == (1, "")
    assert found.stdout.splitlines() == [
        "batch 1 coupons_used: kept 7, counted 0",
        r"coupon 3 'TWO\nLINES' num_usage: kept 1, counted 0",
        r"coupon 3 'TWO\nLINES' active: kept yes, counted no",
    ]


def test_check_as_json(run: Run, store: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_life.make("Spring", Terms.of(), 1)
    nothing = run("db", "check", "--json")
    assert nothing.exit_code == 0
    assert json.loads(nothing.stdout) == {"differences_count": 0, "differences": []}
    Batch.update(made=5, coupons_count=5).execute()
    found = run("db", "check", "--json")
    assert found.exit_code == 1
    differences = [
        {"what": f"batch 1 {name}", "kept": 5, "counted": 1} for name in ("coupons_count", "made")
    ]
    assert json.loads(found.stdout) == {"differences_count": 2, "differences": differences}
    monkeypatch.setattr(db_command, "NAMED", 1)
    found = run("db", "check", "--json")
    assert json.loads(found.stdout) == {"differences_count": 2, "differences": differences[:1]}
