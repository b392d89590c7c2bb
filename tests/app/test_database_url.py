"""From a URL to an engine: what is refused, and that no refusal shows a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import database_url, db
from app.config import BadSetting, Settings
from models.store.base import database
from models.store.engine import Engine
from models.store.servers import Mariadb, Postgresql
from models.store.sqlite import Sqlite

PASSWORD = "se-cret"


def opened(url: str) -> Engine:
    return db.opened(url, Settings(database_timeout_seconds=7))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"oracle://u:{PASSWORD}@host/name", "must begin with sqlite:///, postgresql:// or mysql"),
        (PASSWORD, "must begin with"),
        (f"mysql://u:{PASSWORD}/rest@host/name", "with %-codes for"),
        (f"postgresql://u:{PASSWORD}@host:99999/name", "must be like postgresql://"),
        (f"postgresql://u:{PASSWORD}@[host/name", "must be like postgresql://"),
        (f"mysql://u:{PASSWORD}@one,,two/name", "must be like mysql://"),
        (f"mysql://u:{PASSWORD}@one,two:port/name", "must be like mysql://"),
        (f"mysql://u:{PASSWORD}@host", "must be like mysql://USER:PASSWORD@HOST/DATABASE"),
        (f"mysql://u:{PASSWORD}@host/name?{PASSWORD}=1", "knows no option of this name"),
        ("sqlite://", "needs a file"),
        ("sqlite:///", "needs a file"),
        ("sqlite:///:memory:", "cannot be shared"),
    ],
)
def test_a_url_of_no_use_is_one_sentence_without_the_password(url: str, said: str) -> None:
    with pytest.raises(BadSetting) as refused:
        opened(url)
    sentence = str(refused.value)
    assert sentence.startswith("PROMOBRIDGE_DATABASE_URL ") or sentence.startswith(
        "PROMOBRIDGE_DATABASE_URL:"
    )
    assert said in sentence
    assert PASSWORD not in sentence
    assert refused.value.__cause__ is None


def test_a_url_may_have_another_name() -> None:
    with pytest.raises(BadSetting, match=r"^FROM must begin"):
        db.opened("nothing", Settings(), "FROM")


def test_a_missing_driver_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_url.importlib.util, "find_spec", lambda name: None)
    for url, extra in (("postgresql://host/name", "postgres"), ("mysql://host/name", "mysql")):
        with pytest.raises(BadSetting, match=rf"pip install 'promobridge\[{extra}\]'"):
            opened(url)


def test_opening_leaves_the_models_as_they_are_bound(store: Settings, tmp_path: Path) -> None:
    bound = database.obj
    other = opened(f"sqlite:///{tmp_path}/other.db")
    assert isinstance(other, Sqlite)
    assert database.obj is bound is not other


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "POSTGRESQL"])
def test_postgresql_waits_as_long_as_the_setting_says(scheme: str) -> None:
    pytest.importorskip("psycopg")
    engine = opened(f"{scheme}://me:%2F%40@host:7/name?sslmode=verify-full")
    assert isinstance(engine, Postgresql)
    given = engine.connect_params
    assert engine.database == "name"
    place = {"user": "me", "password": "/@", "host": "host", "port": 7, "sslmode": "verify-full"}
    assert given.items() >= place.items()
    assert "lock_timeout=7s" in given["options"]


@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
def test_mariadb_waits_as_long_as_the_setting_says(scheme: str) -> None:
    pytest.importorskip("pymysql")
    engine = opened(f"{scheme}://me:%2F%40@host:7/name?ssl_verify_identity=true")
    assert isinstance(engine, Mariadb)
    given = engine.connect_params
    assert engine.database == "name"
    place = {"user": "me", "password": "/@", "host": "host", "port": 7}
    assert given.items() >= (place | {"ssl_verify_identity": True}).items()
    assert "innodb_lock_wait_timeout = 7" in given["init_command"]


def test_several_hosts_are_tried_in_turn() -> None:
    pytest.importorskip("psycopg")
    pytest.importorskip("pymysql")
    hosts = "me:a%2Cb@One:7,[::1]:8,three"
    postgresql, mariadb = opened(f"postgresql://{hosts}/name"), opened(f"mysql://{hosts}/name")
    place = {"host": "one,::1,three", "port": "7,8,5432", "user": "me", "password": "a,b"}
    assert postgresql.connect_params.items() >= place.items()
    assert isinstance(mariadb, Mariadb)
    assert mariadb.hosts.in_order() == [("one", 7), ("::1", 8), ("three", 3306)]
    assert mariadb.connect_params.items() >= {"user": "me", "password": "a,b"}.items()
    alone = opened("mysql://host/name")
    assert isinstance(alone, Mariadb)
    assert not alone.hosts.in_order()
    assert alone.connect_params["connect_timeout"] > mariadb.connect_params["connect_timeout"]
