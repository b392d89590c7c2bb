"""Fixtures: commands over the store of a test, run in this process, and databases to copy to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from peewee import Database

from app import config
from app.cli import main
from models.checks.recount import differences
from models.store.base import database
from tests.copies import NewDatabase, new_databases

Run = Callable[..., Result]
Take = Callable[..., dict[str, Any]]


@pytest.fixture
def run(settings: config.Settings) -> Run:
    """Return a function that runs one command over the store of the test."""
    runner = CliRunner(env={config.variable("database_url"): settings.database_url})
    bound: list[Database] = []

    def run(*words: object, **options: Any) -> Result:
        before = database.obj
        result = runner.invoke(main, [str(word) for word in words], **options)
        if database.obj is not before:
            for replaced in bound:  # the test may have used it since its command ended
                replaced.close_all()
            bound[:] = [database.obj]
        return result

    return run


@pytest.fixture
def take(run: Run, store: config.Settings, tmp_path: Path) -> Take:
    """Return a function that imports codes as CSV and returns the JSON value, `status` in it."""

    def take(text: str | bytes, *options: str) -> dict[str, Any]:
        path = tmp_path / "codes.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        result = run("coupon", "import", path, "--json", *options)
        assert result.stderr == ""
        assert list(differences()) == []
        return json.loads(result.stdout) | {"status": result.exit_code}

    return take


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewDatabase]:
    """Return a function that makes an empty database of an engine and returns its URL."""
    with new_databases(tmp_path_factory.mktemp("copies")) as make:
        yield make


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def target(request: pytest.FixtureRequest, new_database: NewDatabase) -> str:
    """Return the URL of an empty database, of each engine."""
    return new_database(request.param)
