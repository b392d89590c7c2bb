"""A store that is gone for a while and comes back: 503 at once meanwhile, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from app import db
from app.config import Settings
from models.access import usage
from models.store.base import database
from tests import stores
from tests.credentials import PAIR
from tests.engine_servers import EngineServer, mariadb_server, postgresql_server
from tests.failure.shops import Shop, is_away, is_away_for_rest, shop
from tests.serving import Reply, Server, request_bytes, served
from tests.waiting import wait_until

SOON_SECONDS = 3
"""A refusal does not wait for a connection that cannot come; the machine may be busy."""
ENGINES = {"postgresql": postgresql_server, "mariadb": mariadb_server}


def readiness(server: Server) -> Reply:
    return server.send(request_bytes("GET", "/readyz"))


def is_ready(server: Server) -> bool:
    answer = readiness(server)
    if answer.status == 200:
        return True
    assert answer.status == 503
    assert json.loads(answer.body)["reason"] == "The store cannot be reached"
    return False


def assert_refuses_at_once(ours: Shop, server: Server) -> int:
    """Ask both APIs for this and that while the store is away; return how many legacy calls."""
    began = time.monotonic()
    assert is_away(ours.redeem(server))
    assert is_away(ours.ask(server, "listPromoBatches"))
    assert is_away_for_rest(ours.rest_redeem(server))
    assert not is_ready(server)
    assert server.send(request_bytes("GET", "/healthz")).status == 200
    assert time.monotonic() - began < SOON_SECONDS
    return 2


@pytest.fixture
def server(ours: Shop, tmp_path: Path) -> Iterator[Server]:
    with served(
        tmp_path, PROMOBRIDGE_DATABASE_URL=ours.url, PROMOBRIDGE_USAGE_LOG_SECONDS="1"
    ) as running:
        yield running
        assert running.log().count("Booting worker") == 2  # none had to be replaced
        assert "Traceback" not in running.log()


def moved(from_folder: Path, to_folder: Path) -> None:
    """Move a store with all its files."""
    to_folder.mkdir(exist_ok=True)
    for path in from_folder.glob("store.db*"):
        path.rename(to_folder / path.name)


@stores.about_sqlite
def test_a_file_that_is_moved_away_and_back(ours: Shop, server: Server, tmp_path: Path) -> None:
    assert not is_away(ours.redeem(server))
    moved(tmp_path, tmp_path / "away")
    for _ in range(2):
        assert_refuses_at_once(ours, server)
    assert not list(tmp_path.glob("store.db*"))  # no empty store is made in its place
    moved(tmp_path / "away", tmp_path)
    wait_until(lambda: is_ready(server))
    assert not is_away(ours.redeem(server))
    assert not is_away_for_rest(ours.rest_redeem(server))
    with database.connection_context():
        ours.assert_whole()


@stores.about_sqlite
def test_a_file_that_takes_the_place_of_another(ours: Shop, server: Server, tmp_path: Path) -> None:
    """Nothing is written to the file that was there, nor answered from it."""
    assert not is_away(ours.redeem(server))
    database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    copied = tmp_path / "copied"
    copied.mkdir()
    shutil.copy(tmp_path / "store.db", copied / "store.db")
    assert not is_away(ours.redeem(server))
    moved(tmp_path, tmp_path / "away")
    moved(copied, tmp_path)
    wait_until(lambda: is_ready(server))
    assert not is_away(ours.redeem(server))
    coupon = json.loads(ours.ask(server, "getPromoDetailsByCode", code=ours.codes[0]).body)
    assert coupon["coupon"]["num_usage"] == "2"  # one of the copy, one after it
    with stores.session(f"sqlite:///{tmp_path}/away/store.db") as old:
        assert old.execute_sql("SELECT COUNT(*) FROM redemption").fetchone() == (2,)
    ours.used = 2
    with database.connection_context():
        ours.assert_whole()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[EngineServer]:
    """Run a server of the engine that the tests are for now."""
    start: Callable[[], AbstractContextManager[EngineServer]] = ENGINES[request.param]
    if not stores.PICKED.startswith(request.param):
        pytest.skip(f"PROMOBRIDGE_TEST_DATABASE_URL is not {request.param}")
    with start() as running:
        yield running


def test_a_server_that_is_stopped_and_started(engine: EngineServer, tmp_path: Path) -> None:
    scheme = urlsplit(engine.url).scheme
    administrated = _named(engine.url, stores.ADMINISTRATED[scheme])
    admin = db.opened(administrated, Settings())
    with admin.connection_context():
        admin.execute_sql("CREATE DATABASE shop")
    admin.close_all()
    with (
        shop(_named(engine.url, "shop")) as ours,
        served(
            tmp_path, PROMOBRIDGE_DATABASE_URL=ours.url, PROMOBRIDGE_USAGE_LOG_SECONDS="1"
        ) as server,
    ):
        assert not is_away(ours.redeem(server))
        database.close_all()
        engine.stop()
        asked = 1 + assert_refuses_at_once(ours, server)
        asked += assert_refuses_at_once(ours, server)
        wait_until(lambda: "The usage log cannot be written" in server.log())
        engine.start()
        wait_until(lambda: is_ready(server))
        assert not is_away(ours.redeem(server))
        assert not is_away_for_rest(ours.rest_redeem(server))
        with database.connection_context():
            ours.assert_whole()
            wait_until(lambda: usage.total(PAIR.api_id) == asked + 1)  # while it was away, too
        assert server.log().count("Booting worker") == 2
        assert "Traceback" not in server.log()


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
