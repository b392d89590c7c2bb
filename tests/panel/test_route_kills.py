"""kill -9 of a worker between reserving, sending and confirming a write, and of a switch."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from app.config import Settings
from models.checks import recount
from models.panel import pending, routes, settlement
from models.panel.pending import PanelFlight, PanelPending
from models.panel.routes import PanelRoute
from models.promotions import coupons
from models.redemptions.redemption import USED, Redemption
from models.store import clock
from tests.panel.fronts import register, taken_over
from tests.panel.php_panel import PhpPanel
from tests.serving import Server, environment, request_bytes, served
from tests.waiting import wait_until

APPLY, ADD = "applyInvoiceCoupon", "addPromoCode"
CODE = "SINGLE000"
INVOICE = 801
NEW = {"code": "FRESH", "coupon_type": "invoice", "type": "percent", "value": "15"}


@pytest.fixture
def server(panel: PhpPanel, store: Settings, tmp_path: Path) -> Iterator[Server]:
    """Serve with one worker, so that it is the one that is met; writes go through the panel."""
    register(panel)
    taken_over(panel, tmp_path, CODE)
    for name in (APPLY, ADD):
        routes.switch(name, "write-through")
    options = panel.environment() | {"PROMOBRIDGE_JOB_WORKERS": "0"}
    with served(tmp_path, command=("serve", "--workers", "1"), **options) as running:
        yield running
        assert list(recount.differences()) == []


def asked(panel: PhpPanel, call: str = APPLY, **arguments: Any) -> bytes:
    """Return the request of a write."""
    named = arguments or {"id": INVOICE, "applycoupon": CODE}
    query = urlencode(panel.credentials | {"call": call} | named)
    return request_bytes("GET", f"/admin/api.php?{query}")


def worker(server: Server) -> int:
    """Return the worker process, waiting until there is one."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return int(wait_until(lambda: children.read_text().split(), why=server.log)[0])


def killed(server: Server, connection: socket.socket) -> None:
    """Kill the worker; its client gets no answer; another one takes its place."""
    old = worker(server)
    os.kill(old, signal.SIGKILL)
    with suppress(ConnectionResetError):
        assert connection.recv(1) == b""
    wait_until(lambda: worker(server) != old)


def opened(server: Server, request: bytes) -> socket.socket:
    connection = socket.create_connection(server.address, timeout=60)
    connection.sendall(request)
    return connection


def after_the_deadline() -> PanelPending:
    """Let the time pass that the panel has; return the one row, whose outcome is unknown then."""
    (row,) = pending.listed(10)
    assert row.outcome == "sent"
    PanelPending.update(deadline=clock.now()).execute()
    (row,) = pending.listed(10)
    assert row.outcome == "unknown"
    return row


def used() -> tuple[int, int]:
    """Return how often the code is used here, by its count and by its standing uses."""
    one = coupons.by_code(CODE)
    standing = Redemption.select().where(Redemption.state == USED, Redemption.coupon_id == one.id)
    return one.num_usage - one.imported_usage, standing.count()


def reached(panel: PhpPanel, call: str = APPLY) -> int:
    return len(panel.journal(call))


def assert_not_sent_again(server: Server, request: bytes) -> None:
    answer = server.send(request)
    assert answer.status == 503
    assert "it was not sent again" in answer.value["error"][0]


def test_between_reserving_and_sending(server: Server, panel: PhpPanel) -> None:
    """The panel's machine takes the connection and no more, so nothing can be sent."""
    for pid in _web(panel):
        os.kill(pid, signal.SIGSTOP)
    request = asked(panel)
    with opened(server, request) as connection:
        wait_until(lambda: pending.count() == 1, why=server.log)
        killed(server, connection)
    for pid in _web(panel):
        os.kill(pid, signal.SIGCONT)
    assert used() == (1, 1)
    assert_not_sent_again(server, request)
    row = after_the_deadline()
    assert_not_sent_again(server, request)
    assert reached(panel) == 0
    settlement.settle(row.id, False, clock.today(UTC))
    assert used() == (0, 0)
    assert server.send(request).value["success"]
    assert (used(), reached(panel), panel.uses(CODE)) == ((1, 1), 1, before() + 1)


@pytest.mark.parametrize("applied", [True, False])
def test_between_sending_and_the_answer(server: Server, panel: PhpPanel, applied: bool) -> None:
    request = asked(panel)
    fault = panel.fault("late", APPLY, seconds=3) if applied else panel.fault("delay", APPLY)
    if not applied:
        panel.fault("fail", APPLY)
    with opened(server, request) as connection:
        wait_until(lambda: reached(panel) == 1, why=server.log)
        killed(server, connection)
    fault.remove()
    wait_until(lambda: panel.journal(APPLY)[0].success is not None)
    panel.mend()
    assert panel.uses(CODE) == before() + applied
    assert_not_sent_again(server, request)
    row = after_the_deadline()
    assert (row.code, row.invoice_id, row.api_id) == (CODE, INVOICE, panel.api_id)
    settlement.settle(row.id, applied, clock.today(UTC))
    assert (used(), reached(panel)) == ((int(applied), int(applied)), 1)


def test_between_the_answer_and_confirming(server: Server, panel: PhpPanel) -> None:
    """The process is halted before the panel answers, so that it is certain where it is."""
    request = asked(panel)
    with panel.fault("delay", APPLY, seconds=2), opened(server, request) as connection:
        wait_until(lambda: reached(panel) == 1, why=server.log)
        os.kill(worker(server), signal.SIGSTOP)
        wait_until(lambda: panel.journal(APPLY)[0].success)
        killed(server, connection)
    row = after_the_deadline()
    assert_not_sent_again(server, request)
    settlement.settle(row.id, True, clock.today(UTC))
    assert (used(), reached(panel), panel.uses(CODE)) == ((1, 1), 1, before() + 1)


def test_a_code_that_was_being_made(server: Server, panel: PhpPanel) -> None:
    request = asked(panel, ADD, **NEW)
    with panel.fault("late", ADD, seconds=2), opened(server, request) as connection:
        wait_until(lambda: panel.rows("coupon", "code = 'FRESH'"), why=server.log)
        killed(server, connection)
    row = after_the_deadline()
    assert_not_sent_again(server, request)
    (there,) = panel.rows("coupon", "code = 'FRESH'")
    settlement.settle(row.id, True, clock.today(UTC), panel_id=there["id"])
    assert coupons.by_code("FRESH").id == there["id"]
    assert reached(panel, ADD) == 1


def test_a_forwarded_write_is_waited_for_until_its_deadline(
    server: Server, panel: PhpPanel
) -> None:
    routes.switch(APPLY, "forward")
    with panel.fault("late", APPLY, seconds=2), opened(server, asked(panel)) as connection:
        wait_until(lambda: reached(panel) == 1, why=server.log)
        killed(server, connection)
    assert PanelFlight.select().count() == 1
    told: list[int] = []

    def on_wait(left: int) -> None:
        told.append(left)
        PanelFlight.update(deadline=clock.now()).execute()

    routes.switch(APPLY, "write-through", on_wait=on_wait)
    assert told == [1]


def test_a_switch_that_is_killed_lets_calls_go_on(
    server: Server, panel: PhpPanel, tmp_path: Path
) -> None:
    with ExitStack() as open_:
        with panel.held():
            connection = open_.enter_context(opened(server, asked(panel)))
            wait_until(lambda: reached(panel) == 1, why=server.log)
            with subprocess.Popen(
                [sys.executable, "-m", "app.cli", "panel", "route", APPLY, "forward"],
                cwd=tmp_path,
                env=environment(tmp_path, **panel.environment()),
                stderr=subprocess.PIPE,
                text=True,
            ) as command:
                assert command.stderr is not None
                said = command.stderr.readline()
                command.kill()
            assert said == f"{APPLY}: waiting for 1 calls on their way to the panel\n"
        assert connection.recv(12) == b"HTTP/1.1 200"
    route = PanelRoute.get(PanelRoute.call == APPLY.lower())
    assert route.mode == "write-through"
    wait_until(lambda: clock.now() >= route.closed_until)
    assert server.send(asked(panel, id=INVOICE + 2, applycoupon=CODE)).value["success"]
    assert used() == (2, 2)


def _web(panel: PhpPanel) -> list[int]:
    """Return the processes of nginx."""
    found = []
    for pid in panel.pids():
        if b"nginx" in Path(f"/proc/{pid}/cmdline").read_bytes():
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found += [pid, *map(int, children)]
    assert found
    return found


def before() -> int:
    """Return how often the code had been used before."""
    return coupons.by_code(CODE).imported_usage
