"""Who answers a call, and switches that wait for what is on its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from app.config import Settings
from models.panel import pending, routes
from models.panel.pending import PanelFlight
from models.panel.routes import Closed, PanelRoute
from models.store import clock
from models.store.base import change, database
from models.store.errors import Invalid
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("store")
WRITE, READ = "applyInvoiceCoupon", "listPromoCodes"


@contextmanager
def another_thread() -> Iterator[ThreadPoolExecutor]:
    """Run what it is given in a thread with a connection of its own."""
    with ThreadPoolExecutor(1, initializer=lambda: database.connect(reuse_if_open=True)) as pool:
        yield pool
        pool.submit(database.close).result()


def mode_in_a_write(name: str = WRITE) -> str:
    with change():
        return routes.of_write(name).mode


def test_without_a_row_the_panel_answers() -> None:
    assert [*routes.listed()] == [*routes.READS, *routes.WRITES]
    assert {route.mode for route in routes.listed().values()} == {"forward"}
    assert mode_in_a_write() == "forward"


def test_names_are_compared_without_case() -> None:
    assert routes.named("ADDPROMOCODE") == "addPromoCode"
    with pytest.raises(Invalid, match="'getClients' has no route: name one of listPromoBatches"):
        routes.named("getClients")


@pytest.mark.parametrize(
    ("name", "mode"), [(WRITE, "shadow"), (READ, "write-through"), (READ, "off")]
)
def test_a_mode_that_a_call_cannot_have_is_refused(name: str, mode: str) -> None:
    with pytest.raises(Invalid, match=f"{name} can be routed to forward, "):
        routes.switch(name, mode)
    assert routes.listed()[name].mode == "forward"


def test_a_switch_says_since_when_and_what_was_before() -> None:
    before = clock.now()
    routes.switch(READ, "shadow")
    routes.switch(READ, "shadow")
    route = routes.switch(READ, "local")
    assert (route.name, route.mode, route.previous) == (READ, "local", "shadow")
    assert before <= route.since <= clock.now()
    assert routes.listed()[READ].mode == "local"


def test_a_switch_waits_for_calls_on_their_way_and_new_ones_are_told_to() -> None:
    with change():
        routes.of_write(WRITE)
        flight = pending.take_off(WRITE, "here 1", 60)
    told: list[int] = []

    def on_wait(left: int) -> None:
        told.append(left)
        if len(told) == 1:
            with pytest.raises(Closed), change():
                routes.of_write(WRITE)
            # Another call is not kept waiting.
            assert mode_in_a_write("addPromoCode") == "forward"
            pending.land(flight)

    assert routes.switch(WRITE, "write-through", on_wait=on_wait).mode == "write-through"
    assert told == [1]
    assert mode_in_a_write() == "write-through"


def test_what_a_killed_process_sent_is_waited_for_until_its_deadline() -> None:
    with change():
        flight = pending.take_off(WRITE, "here 1", 60)
    told: list[int] = []

    def on_wait(left: int) -> None:
        told.append(left)
        PanelFlight.update(deadline=clock.now()).where(PanelFlight.id == flight).execute()

    routes.switch(WRITE, "local", on_wait=on_wait)
    assert told == [1]


def test_a_switch_that_is_broken_off_leaves_all_as_it_was() -> None:
    with change():
        pending.take_off(WRITE, "here 1", 60)

    def on_wait(left: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        routes.switch(WRITE, "local", on_wait=on_wait)
    assert mode_in_a_write() == "forward"


def test_a_call_that_was_closed_by_a_killed_command_opens_by_itself() -> None:
    mode_in_a_write()
    PanelRoute.update(closed_until=clock.now() + 1000).execute()
    with pytest.raises(Closed):
        mode_in_a_write()
    PanelRoute.update(closed_until=clock.now()).execute()
    assert mode_in_a_write() == "forward"


def test_no_write_is_stored_after_its_route_has_changed(store: Settings) -> None:
    """The switch waits for a write that holds the route, however long it takes."""
    routes.switch(WRITE, "local")
    routes.switch("addPromoCode", "local")  # a row that is new would wait beside that of WRITE
    held, go_on, order = threading.Event(), threading.Event(), list[str]()

    def write() -> None:
        with change():
            assert routes.of_write(WRITE).mode == "local"
            held.set()
            assert go_on.wait(30)
            order.append("stored")

    def switch() -> None:
        routes.switch(WRITE, "forward")
        order.append("switched")

    with another_thread() as writer, another_thread() as switcher:
        writing = writer.submit(write)
        assert held.wait(30)
        switching = switcher.submit(switch)
        if not database.one_writer:  # else the others wait for that write, too
            for mode in ("local", "forward") * 10:
                routes.switch("addPromoCode", mode)
            assert not switching.done()
        go_on.set()
        writing.result(60)
        switching.result(60)
    assert order == ["stored", "switched"]
    assert mode_in_a_write() == "forward"


def test_two_writes_hold_a_route_at_once() -> None:
    """On SQLite the second waits for the first, as all that writes does there."""
    if database.one_writer:
        pytest.skip("one writer at a time")
    mode_in_a_write()
    with change(), another_thread() as other:
        routes.of_write(WRITE)
        assert other.submit(mode_in_a_write).result(30) == "forward"


def test_old_rows_of_killed_processes_go() -> None:
    with change():
        pending.take_off(WRITE, "here 1", -pending.KEPT_SECONDS - 1)
        pending.take_off(WRITE, "here 1", 60)
    assert wait_until(lambda: PanelFlight.select().count()) == 1
