"""kill -9 of a worker process in phases that are aimed at: the arbiter starts another, and nothing
is half written, counted twice or lost."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from urllib.parse import urlencode

import pytest

from models.campaigns.jobs import HANDING_OUT_SECONDS, Job
from models.checks import recount
from models.promotions import batch_life, batches
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.redemption import Redemption
from tests import stores
from tests.credentials import CREDENTIALS
from tests.failure.shops import SLUG, Shop, command
from tests.serving import Server, request_bytes, served
from tests.waiting import wait_until

SECONDS = 30
SMALL_BUFFER = 4096
SLICE_SECONDS = 0.0001
TRIES = 400
"""How often the moment between a commit and the answer may be missed: it is about a slice long."""
LARGE = 60_000
"""Codes in a list that is streamed."""


@pytest.fixture
def server(ours: Shop, tmp_path: Path) -> Iterator[Server]:
    """Serve with one worker, so that it is the one that is met."""
    with served(
        tmp_path,
        command=("serve", "--workers", "1"),
        PROMOBRIDGE_DATABASE_URL=ours.url,
        PROMOBRIDGE_JOB_WORKERS="0",
    ) as running:
        yield running
        assert list(recount.differences()) == []


def worker(server: Server) -> int:
    """Return the worker process, waiting until there is one."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return int(wait_until(lambda: children.read_text().split(), why=server.log)[0])


def assert_succeeded(server: Server, killed: int) -> None:
    """Wait until another worker answers."""
    wait_until(lambda: worker(server) != killed)
    assert server.get(urlencode(CREDENTIALS | {"call": "getHostBillversion"})).value["success"]


def opened(server: Server, request: bytes, buffer: int = 0) -> socket.socket:
    """Send a request and return its connection, which takes in little where a buffer is named."""
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(SECONDS)
    connection.connect(server.address)
    connection.sendall(request)
    return connection


def received(connection: socket.socket) -> bytes:
    """Return all that still comes."""
    data = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            data += piece
    return data


def test_while_it_reads_a_body(ours: Shop, server: Server) -> None:
    body = urlencode(CREDENTIALS | {"call": "redeemPromoCode", "code": ours.codes[0]}).encode()
    form = "Content-Type: application/x-www-form-urlencoded"
    request = request_bytes("POST", "/api.php", form, body=body)
    with opened(server, request[:-5]) as connection:
        killed = worker(server)
        # It has taken the beginning out of the socket, and waits for the rest.
        wait_until(lambda: _unread(server, connection) == 0)
        os.kill(killed, signal.SIGKILL)
        assert received(connection) == b""
    assert_succeeded(server, killed)
    assert not Redemption.select().exists()
    assert server.send(request).value["success"]
    assert Redemption.select().count() == 1


def test_in_the_middle_of_a_transaction(ours: Shop, server: Server, tmp_path: Path) -> None:
    """The process is halted first, so that it is certain where it is."""
    grown = batch_life.make("Grown", Terms.of(), 1)
    size = 10_000
    asked = {"call": "generatePromoCodes", "id": grown.id, "size": size, "idempotency_key": "k"}
    request = request_bytes("GET", f"/api.php?{urlencode(CREDENTIALS | asked)}")
    killed = worker(server)
    with opened(server, request) as connection:
        wait_until(lambda: stores.is_written(ours.url))
        os.kill(killed, signal.SIGSTOP)
        assert stores.is_written(ours.url), "it was too fast to be caught"
        assert batches.by_id(grown.id).made == 1
        os.kill(killed, signal.SIGKILL)
        assert received(connection) == b""
    assert_succeeded(server, killed)
    wait_until(lambda: not stores.is_written(ours.url))
    assert Coupon.select().where(Coupon.batch_id == grown.id).count() == 1
    assert "right" in command(tmp_path, ours.url, "db", "check").stdout
    for _ in range(2):
        assert server.send(request).value["success"]
    assert Coupon.select().where(Coupon.batch_id == grown.id).count() == 1 + size


@pytest.mark.parametrize("keyed", [False, True])
def test_after_the_commit_and_before_the_answer(ours: Shop, server: Server, keyed: bool) -> None:
    """Whoever asks again finds the use that was stored, by its invoice or by the request's key."""
    invoice = batch_life.make("Invoices", Terms.of(coupon_type="invoice"), 1)
    code = Coupon.get(Coupon.batch_id == invoice.id).code
    killed = worker(server)
    for number in range(1, TRIES + 1):
        asked = {"call": "applyInvoiceCoupon", "id": number, "applycoupon": code}
        if keyed:
            asked = {"call": "redeemPromoCode", "code": ours.codes[0], "order_id": number}
            asked |= {"idempotency_key": f"key {number}"}
        request = request_bytes("GET", f"/api.php?{urlencode(CREDENTIALS | asked)}")
        with opened(server, request) as connection:
            os.kill(killed, signal.SIGSTOP)
            wait_until(lambda number=number: _redemptions_after_a_slice(killed) == number, pause=0)
            if not _has_come(connection):
                break
            os.kill(killed, signal.SIGCONT)
            received(connection)
    else:
        pytest.fail("the answer was always faster")
    os.kill(killed, signal.SIGKILL)
    assert_succeeded(server, killed)
    assert _redemptions() == number
    assert list(recount.differences()) == []
    first = server.send(request)
    assert first.value["success"]
    assert not keyed or server.send(request).body == first.body
    assert _redemptions() == number


def test_while_it_streams_a_list(ours: Shop, server: Server) -> None:
    """What comes is no whole answer, and cannot be taken for one."""
    batch_life.make("Large", Terms.of(), LARGE)
    path = f"/api.php?{urlencode(CREDENTIALS | {'call': 'listPromoBatches'})}"
    client = HTTPConnection(*server.address, timeout=SECONDS)
    client.request("GET", path)
    answer = client.getresponse()
    assert answer.read(1000).startswith(b'{"success":true')
    killed = worker(server)
    os.kill(killed, signal.SIGKILL)
    with pytest.raises((IncompleteRead, ConnectionResetError)):
        answer.read()
    client.close()
    assert_succeeded(server, killed)
    assert len(server.send(request_bytes("GET", path)).value["batches"]) == 2


def test_while_it_hands_out_the_codes_of_a_job(ours: Shop, server: Server, tmp_path: Path) -> None:
    """The claim of the dead download ends by itself, and all codes are handed out."""
    asked = {"slug": SLUG, "batchSize": LARGE, "pointsValue": 1}
    job = json.loads(ours.rest(server, "POST", "/campaigns/codes/jobs", **asked).body)["data"]
    assert command(tmp_path, ours.url, "worker", "--once").returncode == 0
    path = f"/campaigns/codes/jobs/{job['id']}/codes"
    request = request_bytes("GET", f"/v1{path}", f"X-API-Secret: {ours.secret}")
    with opened(server, request, SMALL_BUFFER) as connection:
        killed = worker(server)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        os.kill(killed, signal.SIGKILL)
        received(connection)
    assert_succeeded(server, killed)
    assert ours.rest(server, "GET", path).status == 409
    Job.update(handing_out_at=Job.handing_out_at - HANDING_OUT_SECONDS - 1).execute()
    whole = ours.rest(server, "GET", path)
    assert len(whole.body.splitlines()) == 1 + LARGE
    assert ours.rest(server, "GET", path).status == 409


def _redemptions_after_a_slice(halted: int) -> int:
    """Let a process run for a slice and halt it again; return what is stored by then."""
    os.kill(halted, signal.SIGCONT)
    time.sleep(SLICE_SECONDS)
    os.kill(halted, signal.SIGSTOP)
    return _redemptions()


def _redemptions() -> int:
    return int(Redemption.select().count())


def _has_come(connection: socket.socket) -> bool:
    """Tell whether an answer was sent by a process that is halted now, or ended it."""
    return bool(select.select([connection], [], [], 0.05)[0])


def _unread(server: Server, connection: socket.socket) -> int:
    """Return how many bytes of a connection the server has not taken out of its socket."""
    port = connection.getsockname()[1]
    wanted = (server.address[1], port)
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, queues = line.split()[1:5]
        if tuple(int(end.split(":")[1], 16) for end in (local, remote)) == wanted:
            return int(queues.split(":")[1], 16)
    return -1
