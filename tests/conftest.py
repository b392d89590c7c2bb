"""Fixtures: a fresh store for each test, and the application over it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from zlib import crc32

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import config, create_app, db
from models.access import accesses
from models.promotions.expiry import Sweep
from models.store import clock
from models.store.base import database
from tests import stores
from tests.credentials import PAIR

GOLDEN_TIME = 1_700_000_000
HERE = Path(__file__).parent
WITHOUT_STORE = (
    "app/test_config.py",
    "app/test_counters.py",
    "app/webhooks/test_outgoing",
    "app/webhooks/test_receiver_addresses.py",
    "attack/test_superlinear_work.py",
    "app/exchange/test_csv_cells.py",
    "calls/php/",
    "calls/rendering/test_fragment_cache.py",
    "calls/rendering/test_packing.py",
    "deploy/test_containers.py",
    "models/promotions/test_drawing.py",
    "models/store/test_mariadb_connection.py",
    "models/store/test_private_names.py",
    "models/redemptions/test_money.py",
    "panel/test_php_panel",
    "test_imports.py",
    "test_readme.py",
)
"""Tests that touch no store, so that one engine is enough for them; they are held to it."""
EACH_SERVER = ("models/", "concurrency/", "failure/", "test_golden.py", "app/test_db_")
"""Tests of what differs between PostgreSQL and MariaDB: statements, locks, kills, copies.

The files of all others ask about calls, commands and endpoints over them: CI runs each of these
files on one of both, `by_turns`.
"""
TURNS = ("turn_of_postgresql", "turn_of_mariadb")
ANY_STORE = (
    "app/reference/",
    "app/rest/test_rest_clients.py",
    "app/rest/test_rest_openapi.py",
    "app/rest/test_rest_fields.py",
    "attack/test_deep_bodies.py",
    "attack/test_flushed_lockouts.py",
    "attack/test_held_threads.py",
    "attack/test_long_lists.py",
    "attack/test_long_paths.py",
    "attack/test_long_values.py",
    "attack/test_odd_multipart.py",
    "attack/test_paths_round_the_rule.py",
    "attack/test_terminal_texts.py",
    "attack/test_through_nginx.py",
    "bench/",
    "app/test_audit.py",
    "app/test_bad_input.py",
    "app/test_cli.py",
    "app/test_cli_access.py",
    "app/test_cli_batch_process.py",
    "app/test_cli_call.py",
    "app/exchange/test_csv_layouts.py",
    "app/exchange/test_csv_refusals.py",
    "app/test_database_url.py",
    "app/test_db_copy_kills.py",
    "app/test_demo.py",
    "app/test_proxy.py",
    "app/test_headers.py",
    "app/exchange/test_import.py",
    "app/exchange/test_import_refusals.py",
    "app/test_limits.py",
    "app/test_logs.py",
    "app/test_metrics.py",
    "app/test_negotiation.py",
    "app/test_ops.py",
    "app/test_php_client.py",
    "app/exchange/test_private_files.py",
    "app/reference/",
    "app/test_reload.py",
    "app/test_rest_commands.py",
    "app/webhooks/test_readme_receivers.py",
    "app/webhooks/test_webhook_command.py",
    "app/legacy/test_dispatcher.py",
    "app/test_serving.py",
    "app/test_raw_queries.py",
    "app/ui/",
    "double/",
    "deploy/",
    "panel/test_added_time.py",
    "panel/test_at_most_once.py",
    "panel/test_client.py",
    "panel/test_comparison.py",
    "panel/test_forward.py",
    "panel/test_forward_served.py",
    "panel/test_front_site.py",
    "panel/test_hanging.py",
    "panel/test_invoice_facts.py",
    "panel/test_large.py",
    "panel/test_recording.py",
    "panel/test_routes_served.py",
    "panel/test_shadow.py",
    "panel/test_shapes.py",
    "panel/test_there_and_back.py",
    "panel/test_walk_panel.py",
    "panel/test_walk_renumber.py",
    "panel/test_walk_stops.py",
    "panel/test_walk_uses.py",
    "panel/test_walk_size.py",
    "test_walk.py",
)
"""Tests of servers, connections, logs and commands: any store will do for what they ask.

Of other files single tests are marked. What a test sends to the store must be sent, with values of
the same kinds, by another that runs on each engine; so must whatever is locked, killed or sorted.
"""


hypothesis.settings.register_profile(  # how long an example takes is the machine's matter
    "promobridge", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("promobridge")


def pytest_configure() -> None:
    """Let commands that tests start take Ctrl-C: those of a script's background job ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they are about: `-m "not without_store"` leaves those out."""
    for item in items:
        path = item.path.relative_to(HERE).as_posix()
        if not path.startswith(EACH_SERVER):
            item.add_marker(TURNS[crc32(path.encode()) % len(TURNS)])
        for name, paths in (("without_store", WITHOUT_STORE), ("any_store", ANY_STORE)):
            if path.startswith(paths):
                item.add_marker(name)


@pytest.fixture(scope="session", autouse=True)
def _server() -> Iterator[None]:
    """End the database server, if one was needed."""
    yield
    stores.stop()


@pytest.fixture(autouse=True)
def _stores(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give back what stores the test had, if it may have any."""
    if request.node.get_closest_marker("without_store"):
        monkeypatch.delattr(stores, "url")
        monkeypatch.delattr(stores, "bare_url")
    yield
    stores.release(tmp_path)


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def web_server(request: pytest.FixtureRequest) -> str:
    """Return the name of each web server in turn, for promises that hold on any."""
    return str(request.param)


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    """Name a store of this test alone."""
    return config.Settings(database_url=stores.url(tmp_path))


@pytest.fixture
def store(settings: config.Settings) -> Iterator[config.Settings]:
    """Bind the models to a fresh store with a current schema."""
    stores.make(settings.database_url)
    bound = db.bind(settings)
    with bound.connection_context():
        Sweep.update(day=clock.today(UTC)).execute()  # its tables may have been made another day
        yield settings
    bound.close_all()
    database.close_all()  # a command has bound the same store again


@pytest.fixture
def folder(store: config.Settings, tmp_path: Path) -> Path:
    """Return the folder of the store, which knows PAIR."""
    accesses.add("tests", PAIR)
    return tmp_path


@pytest.fixture
def app(store: config.Settings) -> Iterator[Flask]:
    """Return the application over the store, its pair of id and key being PAIR."""
    accesses.add("tests", PAIR)
    made = create_app(store)
    yield made
    made.config["USAGE_LOG"].close()
    database.close_all()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of the application that sends PAIR only where a test says so."""
    return app.test_client()


@pytest.fixture
def golden_client(app: Flask, still_time: int) -> FlaskClient:
    """Return a client over the store that the golden answers come from, at GOLDEN_TIME."""
    stored = sorted((Path(__file__).parent / "golden" / "store").glob("*.json"))
    stores.fill(*map(str, stored))
    return app.test_client()


@pytest.fixture
def still_time(monkeypatch: pytest.MonkeyPatch) -> int:
    """Hold the clock still."""
    monkeypatch.setattr(clock, "now", lambda: GOLDEN_TIME)
    return GOLDEN_TIME
