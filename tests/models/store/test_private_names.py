"""Private names of peewee and PyMySQL that the store uses are there, in bounded versions."""

from __future__ import annotations

import re
from importlib.metadata import requires

import pytest
from peewee import CharField, Model
from playhouse.pool import PooledMySQLDatabase, PooledPostgresqlDatabase, PooledSqliteDatabase
from pymysql.connections import Connection

ENGINES = [PooledSqliteDatabase, PooledPostgresqlDatabase, PooledMySQLDatabase]
CONNECTION_NAMES = [
    *("_sock", "_read_timeout"),
    *("_create_ssl_ctx", "_execute_command", "_force_close"),
]


@pytest.mark.parametrize("library", ["peewee", "PyMySQL"])
def test_each_library_is_bounded(library: str) -> None:
    bounds = [each for each in requires("promobridge") or [] if re.match(rf"{library}\b", each)]
    assert bounds
    assert all(re.search(r"<\d+\.\d+", each) for each in bounds), bounds


@pytest.mark.parametrize("name", CONNECTION_NAMES)
def test_pymysql_has(name: str) -> None:
    assert hasattr(Connection(defer_connect=True), name)


@pytest.mark.parametrize("engine", ENGINES)
def test_peewee_has(engine: type) -> None:
    database = engine(None)
    assert database._state.ctx == []
    assert callable(database._connect)
    assert callable(database._is_closed)


def test_a_model_is_made_without_defaults() -> None:
    class Named(Model):
        name = CharField(default="usual")

    assert Named().__data__ == {"name": "usual"}
    assert Named(__no_default__=True).__data__ == {}
