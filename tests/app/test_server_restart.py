"""The engine's server is stopped and started again under a running promobridge, as upgrades do."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from app import db
from app.config import Settings
from models.access import accesses
from models.access.usage import ApiUsage
from models.campaigns import campaigns, jobs
from models.campaigns.campaign_making import Plan
from models.checks import recount
from models.promotions import coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.redemption import Redemption
from models.store import schema
from models.store.errors import AWAY
from tests import stores
from tests.credentials import PAIR, QUERY
from tests.engine_servers import EngineServer
from tests.serving import Server, request_bytes, served
from tests.waiting import SECONDS, wait_until

pytestmark = stores.about_servers
CLIENTS = 4


@dataclass(frozen=True)
class Asked:
    """Hold one redemption that was asked for: when, and whether it was said to be done."""

    order_id: int
    began: float
    ended: float
    won: bool


@dataclass
class Arena:
    """Hold a server of an engine, and promobridge in front of it."""

    engine: EngineServer
    settings: Settings
    server: Server

    @contextmanager
    def store(self) -> Iterator[None]:
        """Bind the models to the store."""
        bound = db.bind(self.settings)
        with bound.connection_context():
            yield
        bound.close_all()

    def redeem(self, order_id: int) -> Asked:
        """Redeem the code of all; whatever happens, the answer is the envelope."""
        began = time.monotonic()
        asked = f"{QUERY}&call=redeemPromoCode&code=SHARED&order_id={order_id}"
        reply = self.server.get(asked)
        assert reply.status in (200, 503)
        assert reply.value["success"] is (reply.status == 200), reply
        return Asked(order_id, began, time.monotonic(), reply.value["success"])


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    with stores.own_server() as engine:
        url = stores.database_of(engine)
        settings = Settings(database_url=url)
        bound = db.bind(settings)
        with bound.connection_context():
            schema.upgrade(bound)
            accesses.add("tests", PAIR)
            coupons.add("SHARED", Terms.of())
        bound.close_all()
        options = {
            "PROMOBRIDGE_DATABASE_URL": url,
            "PROMOBRIDGE_USAGE_LOG_SECONDS": "1",
        }
        with served(tmp_path, PROMOBRIDGE_JOB_WORKERS="1", **options) as server:
            yield Arena(engine, settings, server)
            assert "Traceback" not in server.log()
            assert server.log().count("Booting worker") == 2  # none had to be replaced


def ready(server: Server) -> tuple[int, object]:
    reply = server.send(request_bytes("GET", "/readyz"))
    return reply.status, json.loads(reply.body)


def test_connections_in_the_pool_survive_a_restart_that_nobody_saw(arena: Arena) -> None:
    before = [arena.redeem(number) for number in range(1, 21)]
    arena.engine.stop()
    arena.engine.start()
    after = [arena.redeem(number) for number in range(21, 61)]
    assert all(each.won for each in before + after)
    assert ready(arena.server) == (200, {"status": "ok"})


def test_what_goes_on_without_its_server_ends_with_the_reason(arena: Arena) -> None:
    def ask() -> None:
        with arena.store():
            assert Coupon.get().code == "SHARED"
            arena.engine.stop()
            Coupon.get()

    with pytest.raises(AWAY):
        ask()
    arena.engine.start()


def test_without_its_store_every_request_is_told_so_until_it_is_back(arena: Arena) -> None:
    assert arena.redeem(1).won
    arena.engine.stop()
    for number in range(2, 12):
        assert not arena.redeem(number).won
    away = {"status": "error", "reason": "The store cannot be reached"}
    assert ready(arena.server) == (503, away)
    assert arena.server.send(request_bytes("GET", "/healthz")).status == 200
    arena.engine.start()
    assert ready(arena.server) == (200, {"status": "ok"})
    assert arena.redeem(12).won
    with arena.store():
        assert [row.order_id for row in Redemption.select().order_by(Redemption.id)] == [1, 12]
        job = jobs.add(campaigns.add(Owner(), "big", "Big"), 120, Plan(points=1))
        wait_until(lambda: job.created == 120)  # by the worker beside the server


def test_under_load_only_what_was_under_way_is_lost_and_only_to_the_client(arena: Arena) -> None:
    over = threading.Event()
    asked: list[Asked] = []
    numbers = count(1)

    def client() -> None:
        while not over.is_set():
            asked.append(arena.redeem(next(numbers)))

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    try:
        wait_until(lambda: len(asked) > 50)
        down = time.monotonic()
        arena.engine.stop()
        arena.engine.start()
        back = time.monotonic()
        enough = len(asked) + 100
        wait_until(lambda: len(asked) > enough)
    finally:
        over.set()
        for each in clients:
            each.join(SECONDS)
    refused = [each for each in asked if not each.won]
    assert all(each.ended > down and each.began < back for each in refused)
    with arena.store():
        recorded = Counter(row.order_id for row in Redemption.select(Redemption.order_id))
        won = {each.order_id for each in asked if each.won}
        assert set(recorded.values()) == {1}
        assert won <= recorded.keys()
        # What was committed in the instant in which the connection broke: its answer was lost.
        assert recorded.keys() - won <= {each.order_id for each in refused}
        assert len(recorded) - len(won) <= CLIENTS
        assert Coupon.get().num_usage == len(recorded)
        assert list(recount.differences()) == []
        logged = ApiUsage.select().where(ApiUsage.call == "redeemPromoCode", ApiUsage.message == "")
        wait_until(
            lambda: logged.count() == len(won),
            why=lambda: f"{logged.count()} calls are logged as successes, {len(won)} were",
        )
