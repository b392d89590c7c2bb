"""A reload under load loses no request; a stop ends what runs and writes the usage log."""

from __future__ import annotations

import os
import re
import signal
import socket
from http.client import HTTPConnection
from pathlib import Path

import pytest

from models.access.usage import ApiUsage
from tests.credentials import QUERY
from tests.loader import Load
from tests.serving import Server, reply, request_bytes, served
from tests.waiting import SECONDS, wait_until

TARGET = f"/api.php?{QUERY}&call=getHostBillversion"
RELOADS = 2


def wait_for_line(server: Server, text: str, times: int = 1) -> None:
    """Wait until the log has a text so many times."""
    wait_until(lambda: server.log().count(text) >= times, why=server.log)


def reloaded(server: Server, before: int) -> None:
    """Reload and wait until the old workers are gone."""
    server.process.send_signal(signal.SIGHUP)
    wait_for_line(server, "Worker exiting", before + 2)


@pytest.mark.parametrize(("keep", "pause"), [(True, 0.0), (True, 0.3), (False, 0.0)], ids=str)
def test_reloads_under_load_lose_no_request(folder: Path, keep: bool, pause: float) -> None:
    clients = 16 if pause else 4
    with served(folder, PROMOBRIDGE_ACCESS_LOG="0") as server:
        with Load(server.address, TARGET, clients=clients, keep=keep, pause=pause) as load:
            load.answered(2 * clients)
            for number in range(RELOADS):
                reloaded(server, 2 * number)
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
    assert server.log().count("api.php?") == load.answers
    logged = ApiUsage.select().where(ApiUsage.call == "getHostBillversion").count()
    assert logged == load.answers


def test_connections_that_wait_at_a_stop_are_answered(folder: Path) -> None:
    with served(folder) as server:
        workers = [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", server.log())]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        waiting = [socket.create_connection(server.address, SECONDS) for _ in range(20)]
        for connection in waiting:
            connection.sendall(request_bytes("GET", TARGET))
        server.process.send_signal(signal.SIGTERM)
        wait_for_line(server, "Handling signal: term")
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        assert all(reply(connection).value["success"] for connection in waiting)
        for connection in waiting:
            connection.close()
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
