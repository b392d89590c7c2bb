"""Calls are answered by their routes: by the panel, or here, and a write never by both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from app.panel import routing
from models.checks import recount
from models.panel import routes
from models.panel.pending import PanelFlight
from models.promotions import coupons
from models.redemptions.redemption import USED, Redemption
from models.store import clock
from models.store.base import database
from tests.credentials import PAIR
from tests.panel.fronts import Front
from tests.panel.walking import Walker
from tests.waiting import wait_until

APPLY, ADD = "applyInvoiceCoupon", "addPromoCode"
DETAILS, CODES = "getPromoDetailsByCode", "listPromoCodes"
CODE = "SINGLE000"
INVOICE = 801


@contextmanager
def moved_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    now = clock.elapsed
    with monkeypatch.context() as patch:
        patch.setattr(clock, "elapsed", lambda: now() + seconds)
        yield


def standing() -> int:
    return Redemption.select().where(Redemption.state == USED).count()


def reached(front: Front, call: str) -> int:
    """Return how often a call has reached the panel."""
    return len(front.panel.journal(call))


def test_all_goes_to_the_panel_until_it_is_routed(front: Front) -> None:
    answer = front.ask(DETAILS, code=CODE)
    assert answer["success"], answer
    assert answer["coupon"]["code"] == CODE
    assert front.ask(APPLY, id=INVOICE, applycoupon=CODE)["success"]
    assert (reached(front, DETAILS), reached(front, APPLY)) == (1, 1)
    assert (standing(), PanelFlight.select().count()) == (0, 0)


def test_names_are_compared_without_case(front: Front) -> None:
    front.take_over(CODE)
    front.route("local", DETAILS)
    before = reached(front, DETAILS)
    answer = front.ask(DETAILS.upper(), code=CODE)
    assert answer["coupon"]["code"] == CODE
    assert reached(front, DETAILS) == before


def test_a_switch_is_in_force_within_a_second_everywhere(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process knows of it only from the store: its copy is never older than half a one."""
    front.take_over(CODE)
    before = reached(front, DETAILS)
    assert front.ask(DETAILS, code=CODE)["success"]
    routes.switch(DETAILS, "local")
    with moved_clock(monkeypatch, routing.FRESH_SECONDS):
        assert front.ask(DETAILS, code=CODE)["success"]
    assert reached(front, DETAILS) == before + 1
    assert routing.FRESH_SECONDS <= 0.5


def test_the_routes_are_not_read_for_each_call(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.take_over(CODE)
    front.route("local", DETAILS)
    read, count = routes.modes, 0

    def counted() -> dict[str, str]:
        nonlocal count
        count += 1
        return read()

    monkeypatch.setattr(routes, "modes", counted)
    now = clock.elapsed()
    monkeypatch.setattr(clock, "elapsed", lambda: now)
    for _ in range(5):
        assert front.ask(DETAILS, code=CODE)["success"]
    assert count == 1


def test_a_write_goes_by_its_route_though_the_copy_is_old(front: Front) -> None:
    front.take_over(CODE)
    assert front.ask(APPLY, id=INVOICE, applycoupon=CODE)["success"]
    routes.switch(APPLY, "local")
    assert front.ask(APPLY, id=INVOICE + 2, applycoupon=CODE)["success"]
    assert (reached(front, APPLY), standing()) == (1, 1)
    routes.switch(APPLY, "write-through")
    assert front.ask(APPLY, id=INVOICE + 4, applycoupon=CODE)["success"]
    assert (reached(front, APPLY), standing()) == (2, 2)
    routes.switch(APPLY, "forward")
    assert front.ask(APPLY, id=INVOICE + 6, applycoupon=CODE)["success"]
    assert (reached(front, APPLY), standing()) == (3, 2)


def test_a_local_write_holds_its_route_until_it_is_stored(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A switch that begins in the midst of it ends after it."""
    front.take_over(CODE)
    front.route("local", APPLY)
    held, go_on = threading.Event(), threading.Event()
    of_write = routes.of_write

    def waiting(name: str) -> Any:
        route = of_write(name)
        held.set()
        assert go_on.wait(30)
        return route

    monkeypatch.setattr(routes, "of_write", waiting)
    with ThreadPoolExecutor(2) as pool:
        write = pool.submit(front.ask, APPLY, id=INVOICE, applycoupon=CODE)
        assert held.wait(30)
        switch = pool.submit(connected(lambda: routes.switch(APPLY, "forward")))
        go_on.set()
        assert write.result(60)["success"]
        switch.result(60)
    assert (reached(front, APPLY), standing()) == (0, 1)


def test_a_write_with_an_idempotency_key_is_kept_to_its_route_too(front: Front) -> None:
    front.take_over(CODE)
    front.route("local", APPLY)
    asked = {"id": INVOICE, "applycoupon": CODE, "idempotency_key": "k"}
    first, again = front.send(APPLY, **asked), front.send(APPLY, **asked)
    assert first.get_data() == again.get_data()
    assert first.json["success"]
    routes.switch(APPLY, "forward")
    assert front.ask(APPLY, **asked)["success"]
    assert (reached(front, APPLY), standing()) == (1, 1)


def test_a_forwarded_write_is_on_record_while_it_is_under_way(front: Front) -> None:
    with front.panel.fault("delay", APPLY, seconds=2), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(front.ask, APPLY, id=INVOICE, applycoupon=CODE)
        row = wait_until(lambda: PanelFlight.get_or_none())
        assert (row.call, row.deadline > clock.now() + 500) == (APPLY.lower(), True)
        assert asked.result(60)["success"]
    assert not PanelFlight.select().exists()
    with front.panel.fault("lose", APPLY):
        assert front.send(APPLY, id=INVOICE + 2, applycoupon=CODE).status_code == 503
    assert PanelFlight.select().count() == 1, "the panel may be at it until the deadline"
    PanelFlight.delete().execute()
    front.panel.kill()
    assert front.send(APPLY, id=INVOICE + 4, applycoupon=CODE).status_code == 503
    assert not PanelFlight.select().exists()


def test_a_read_leaves_no_row(front: Front) -> None:
    with front.panel.fault("lose", CODES):
        front.send(CODES)
    assert not PanelFlight.select().exists()


def test_extensions_are_ours_and_unknown_calls_the_panels(front: Front) -> None:
    assert front.ask("getPromoBatchDetails", id=1)["error"] == ["There is no batch 1"]
    assert front.ask("getClients")["success"]
    assert front.ask("noSuchCall")["error"] == ["Called method is not supported"]
    assert reached(front, "getPromoBatchDetails") == 0
    assert reached(front, "noSuchCall") == 1


def test_who_is_not_registered_is_not_let_through_by_any_route(front: Front) -> None:
    wrong = {"api_id": PAIR.api_id, "api_key": PAIR.api_key}
    for mode in ("write-through", "local", "forward"):
        front.route(mode, APPLY)
        answer = front.ask(APPLY, id=INVOICE, applycoupon=CODE, **wrong)
        assert answer["error"] == ["Wrong API ID or API Key"]
    assert (reached(front, APPLY), standing()) == (0, 0)


def test_no_code_is_used_on_both_sides_while_routes_are_switched(
    front: Front, walking: Walker
) -> None:
    """Each use that was granted while this store heard of it is recorded here once."""
    walking.walk()
    names = [row["code"] for row in front.panel.rows("coupon", "max_usage = 3 AND num_usage = 0")]
    names = [name for name in names if coupons.by_code(name).active][:6]
    assert len(names) >= 4
    front.route("write-through", APPLY)
    granted: list[str] = []
    refused: list[tuple[int, list[str]]] = []
    stop = threading.Event()
    invoices = iter(range(800, 860, 1))
    lock = threading.Lock()

    def client() -> None:
        while not stop.is_set():
            with lock:
                invoice, name = next(invoices, 0), names[len(granted) % len(names)]
            if not invoice:
                return
            answer = front.send(APPLY, id=invoice, applycoupon=name)
            with lock:
                if answer.status_code == 200 and answer.json["success"]:
                    granted.append(name)
                else:
                    refused.append((answer.status_code, answer.json["error"]))

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(connected(client)) for _ in range(3)]
        for mode in ("local", "write-through", "local"):
            seen = len(granted)
            wait_until(lambda seen=seen: len(granted) > seen or all(r.done() for r in running))
            routes.switch(APPLY, mode)
        for each in running:
            each.result(60)
        stop.set()
    assert list(recount.differences()) == []
    assert len(granted) == standing(), refused
    for name in names:
        one = coupons.by_code(name)
        assert one.num_usage - one.imported_usage == granted.count(name)
        assert front.panel.uses(name) <= one.num_usage


def connected(run: Callable[[], Any]) -> Callable[[], Any]:
    """Run something in a thread with a connection of its own."""

    def connected_run() -> Any:
        try:
            return run()
        finally:
            database.close()

    return connected_run
