"""Several servers of one store: which is asked first, and what becomes of those that are away."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from app import db
from app.config import Settings
from models.store import clock, hosts
from models.store.hosts import Hosts
from models.store.servers import Mariadb
from tests import stores

FIRST, SECOND, THIRD = places = [("first", 1), ("second", 2), ("third", 3)]
needs_mariadb = pytest.mark.skipif(
    not stores.PICKED.startswith("m"), reason="PostgreSQL's own library does it"
)


class Now:
    """Hold the clock still between two steps."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    held = Now()
    monkeypatch.setattr(clock, "elapsed", held)
    return held


def test_who_is_away_is_asked_last_for_longer_each_time(now: Now) -> None:
    known = Hosts(places)
    assert known.in_order() == [FIRST, SECOND, THIRD]
    rest = hosts.REST_SECONDS
    while rest < hosts.LONGEST_REST_SECONDS:
        known.mark_away(FIRST)
        known.mark_away(FIRST)  # another thread saw it at once
        assert known.in_order() == [SECOND, THIRD, FIRST]
        now.at += rest - 0.001
        assert known.is_away(FIRST)
        now.at += 0.001
        assert known.in_order()[0] == FIRST
        rest *= 2
    known.mark_away(FIRST)
    now.at += hosts.LONGEST_REST_SECONDS
    known.mark_away(FIRST)
    known.mark_reachable(FIRST)
    assert known.in_order()[0] == FIRST
    known.mark_away(FIRST)
    now.at += hosts.REST_SECONDS
    assert not known.is_away(FIRST)


def test_who_is_none_of_them_is_not_remembered(now: Now) -> None:
    known = Hosts([])
    known.mark_away(FIRST)
    assert not known.is_away(FIRST)
    assert known.in_order() == []


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Listen, as a server that is frozen does: connections are made and nobody answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening


def over(settings: Settings, *others: int) -> Mariadb:
    """Return the store of the settings behind other ports of this machine."""
    parts = urlsplit(settings.database_url)
    user, at, place = parts.netloc.rpartition("@")
    names = ",".join([*(f"127.0.0.1:{port}" for port in others), place])
    engine = db.opened(parts._replace(netloc=user + at + names).geturl(), settings)
    assert isinstance(engine, Mariadb)
    return engine


@needs_mariadb
def test_the_next_server_is_asked_when_one_refuses_and_one_is_silent(
    settings: Settings, silent: socket.socket
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        refusing = gone.getsockname()[1]
    engine = over(settings, refusing, silent.getsockname()[1])
    for longest in (4.0, 1.0):  # the second time it is known
        began = time.monotonic()
        with engine.connection_context():
            assert engine.execute_sql("SELECT 1").fetchone() == (1,)
        assert time.monotonic() - began < longest
        engine.close_all()


@needs_mariadb
def test_a_statement_that_takes_long_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.store import mariadb_connection

    monkeypatch.setattr(mariadb_connection, "SILENT_SECONDS", 0.05)
    engine = over(settings)
    with engine.connection_context():
        assert engine.execute_sql("SELECT SLEEP(0.5)").fetchone() == (0,)
    engine.close_all()
