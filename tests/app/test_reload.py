"""A reload of gunicorn loses no request; a stop ends what runs and writes the usage log."""

from __future__ import annotations

import json
import signal
import socket
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from models.access.usage import ApiUsage
from models.promotions import batch_life
from models.promotions.terms import Terms
from tests.credentials import QUERY
from tests.loader import Load
from tests.serving import (
    Server,
    processes,
    request_bytes,
    served,
    wait_for_workers,
    workers,
)
from tests.waiting import SECONDS, wait_until

TARGET = f"/api.php?{QUERY}&call=getHostBillversion"
RELOADS = 2
LARGE = 20_000
"""Codes in a list that is sent as it is made."""


def wait_for_line(server: Server, text: str, times: int = 1) -> None:
    """Wait until the log has a text so many times."""
    wait_until(lambda: server.log().count(text) >= times, why=server.log)


def reload(server: Server) -> None:
    """Reload and wait until the old workers are gone and all new ones are there."""
    old = workers(server)
    server.process.send_signal(signal.SIGHUP)
    wait_for_workers(server, len(old), but=old)
    wait_until(lambda: old.isdisjoint(processes(server)), why=server.log)


@pytest.mark.parametrize(("keep", "pause"), [(True, 0.0), (True, 0.3), (False, 0.0)], ids=str)
def test_reloads_under_load_lose_no_request(folder: Path, keep: bool, pause: float) -> None:
    clients = 16 if pause else 4
    with served(folder, PROMOBRIDGE_ACCESS_LOG="0") as server:
        with Load(server.address, TARGET, clients=clients, keep=keep, pause=pause) as load:
            load.answered(2 * clients)
            for _ in range(RELOADS):
                reload(server)
                load.answered(2 * clients)
        assert load.failures == {}


@pytest.mark.parametrize(("keep", "pause"), [(True, 0.05), (False, 0.0)], ids=str)
def test_a_stop_under_load_answers_all_it_has_taken(folder: Path, keep: bool, pause: float) -> None:
    with served(folder) as server:
        with Load(server.address, TARGET, clients=8, keep=keep, pause=pause) as load:
            load.answered(50)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(SECONDS) == 0
        # Whoever comes in the instant in which the socket closes is not taken by anyone.
        kinds = {failure.split()[0] for failure in load.failures}
        assert kinds <= {"ConnectionRefusedError", "ConnectionResetError"}
    assert server.log().count('"GET /api.php ') == load.answers
    logged = ApiUsage.select().where(ApiUsage.call == "getHostBillversion").count()
    assert logged == load.answers


def test_a_stop_lets_an_answer_end(folder: Path, web_server: str) -> None:
    batch_life.make("Large", Terms.of(), LARGE)
    with served(folder, web_server=web_server) as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(SECONDS)
        slow.connect(server.address)
        slow.sendall(request_bytes("GET", f"/api.php?{QUERY}&call=listPromoBatches"))
        with HTTPResponse(slow) as answer:
            answer.begin()
            begun = answer.read(100)
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not workers(server), why=server.log)
            (batch,) = json.loads(begun + answer.read())["batches"]
        assert batch["coupons_count"] == LARGE
        assert server.process.wait(SECONDS) == 0


def test_a_kept_connection_is_told_that_it_ends(folder: Path) -> None:
    with served(folder, "--workers", "1") as server:
        kept = HTTPConnection(*server.address, timeout=SECONDS)
        kept.request("GET", TARGET)
        first = kept.getresponse()
        first.read()
        server.process.send_signal(signal.SIGHUP)
        wait_for_line(server, "Booting worker", 2)
        kept.request("GET", TARGET)  # sent to a worker that has been told to stop, or will be
        second = kept.getresponse()
        assert b'"success":true' in second.read()
        while not second.will_close:
            kept.request("GET", TARGET)
            second = kept.getresponse()
            assert b'"success":true' in second.read()
        kept.close()
        assert not first.will_close
