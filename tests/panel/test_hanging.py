"""A panel that hangs, trickles or is away: calls end in time, and local ones keep their speed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from flask import Flask

from app.config import Settings
from app.panel import gate
from models.access import accesses
from tests.credentials import PAIR, QUERY
from tests.panel.fronts import PLAIN_ANSWER, Stub, in_front, stub
from tests.serving import Server, served
from tests.waiting import wait_until

URL = "/admin/api.php"
NOT_KNOWN = "it is not known whether the call was carried out"
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Return what lets go of the callers of a stub that hangs."""
    event = threading.Event()
    yield event
    event.set()


def hanging(event: threading.Event) -> Callable[[socket.socket], None]:
    def hang(connection: socket.socket) -> None:
        event.wait(60)

    return hang


def trickling(begin: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Return what sends a beginning and then a piece again and again, faster than any silence."""

    def trickle(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(piece)
            time.sleep(0.05)

    return trickle


def ask(front: Flask, **options: Any) -> Any:
    return front.test_client().get(URL, query_string=f"{QUERY}&call=getClients", **options)


@pytest.mark.parametrize(
    ("begin", "piece", "most"),
    [
        (b"", b"", {"panel_silence_seconds": 1}),
        (HEAD, b"X: y\r\n", {"panel_seconds": 1}),
        (HEAD + b"X: ", b"y", {"panel_seconds": 1}),
        (HEAD + b"Content-Length: 99999\r\n\r\n", b"x", {"panel_seconds": 1}),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", {"panel_seconds": 1}),
        (HEAD + b"Connection: close\r\n\r\n", b"x", {"panel_seconds": 1}),
    ],
)
def test_no_call_lasts_longer_than_it_may(
    store: Settings, begin: bytes, piece: bytes, most: dict[str, int]
) -> None:
    accesses.add("tests", PAIR)
    with (
        stub(trickling(begin, piece)) as place,
        in_front(store, panel_url=place.url, **most) as front,
    ):
        answer = ask(front)
    assert answer.status_code == 503
    (said,) = answer.get_json()["error"]
    assert said == f"The panel did not answer in time; {NOT_KNOWN}"
    assert "Retry-After" not in answer.headers
    assert len(place.requests) == 1


def test_a_panel_that_reads_slowly_has_the_time_of_silence(store: Settings) -> None:
    accesses.add("tests", PAIR)
    with stub() as place, in_front(store, panel_url=place.url, panel_connect_seconds=1) as front:
        place.pause = 2
        answer = front.test_client().post(
            URL, query_string=f"{QUERY}&call=getClients", data=b"x" * 20_000_000
        )
    assert answer.status_code == 200


def test_an_answer_that_is_under_way_is_broken_off(store: Settings) -> None:
    accesses.add("tests", PAIR)
    begin = HEAD + b"Connection: close\r\n\r\n" + b"x" * 1_000_000
    with (
        stub(trickling(begin, b"x")) as place,
        in_front(store, panel_url=place.url, panel_seconds=1) as front,
        pytest.raises(Exception, match="did not answer in time"),
    ):  # it ends the connection
        ask(front).get_data()


def test_a_panel_that_is_away_is_not_asked_again_and_again(
    store: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    accesses.add("tests", PAIR)
    with stub(lambda connection: None) as place, in_front(store, panel_url=place.url) as front:
        for _ in range(gate.MOST_FAILURES):
            assert "Retry-After" not in ask(front).headers
        for _ in range(3):
            answer = ask(front)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert "has not answered for a while" in answer.get_json()["error"][0]
        assert len(place.requests) == gate.MOST_FAILURES
        monkeypatch.setattr(gate, "AWAY_SECONDS", 0)
        wait_until(lambda: (ask(front), len(place.requests) > gate.MOST_FAILURES)[1])
        place.answer = PLAIN_ANSWER
        wait_until(lambda: ask(front).status_code == 200)
        monkeypatch.undo()
        assert [ask(front).status_code for _ in range(3)] == [200, 200, 200]


def test_a_quarter_of_the_threads_never_waits() -> None:
    for threads, most_in, most_waiting in ((1, 1, 0), (2, 1, 0), (4, 2, 1), (16, 8, 4)):
        held = gate.Gate(threads)
        assert held._turns._value == most_in
        assert held._queue._value == most_waiting


@pytest.fixture
def server(folder: Path, held: threading.Event) -> Iterator[tuple[Server, Stub]]:
    """Return one worker of four threads in front of a panel that hangs."""
    with (
        stub(hanging(held)) as place,
        served(
            folder, command=("serve", "--workers", "1"), PROMOBRIDGE_PANEL_URL=place.url
        ) as running,
    ):
        yield running, place
        held.set()


def test_local_calls_keep_their_speed(server: tuple[Server, Stub], held: threading.Event) -> None:
    running, place = server

    def waits() -> float:
        """Return the middle one of what 30 local calls take."""
        taken = []
        for _ in range(30):
            begun = time.perf_counter()
            assert running.get(f"{QUERY}&call=listPromoUsage").value["success"] is True
            taken.append(time.perf_counter() - begun)
        return median(taken)

    alone = waits()
    with ThreadPoolExecutor(12) as clients:
        asked = [
            clients.submit(running.get, f"{QUERY}&call=getClients&n={number}")
            for number in range(12)
        ]
        wait_until(lambda: len(place.requests) == 2)  # half of the threads
        meanwhile = waits()
        wait_until(lambda: sum(each.done() for each in asked) == 10)
        assert len(place.requests) == 2
        refused = [each.result() for each in asked if each.done()]
        held.set()
    assert {each.status for each in refused} == {503}
    assert all("Too many calls wait" in each.value["error"][0] for each in refused)
    # A call that waited for one that hangs would take a thousand times as long.
    assert meanwhile < 20 * alone


def test_a_loop_is_noticed(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with served(
        folder,
        *("--bind", f"127.0.0.1:{port}"),
        command=("serve", "--workers", "1"),
        PROMOBRIDGE_PANEL_URL=f"http://127.0.0.1:{port}/admin/api.php",
    ) as running:
        answer = running.get(f"{QUERY}&call=getClients")
    assert answer.status == 503
    assert "leads back to this service" in answer.value["error"][0]


def test_stale_connections_are_not_used(store: Settings) -> None:
    """A connection that the panel closes after an answer loses no later call."""
    accesses.add("tests", PAIR)

    answer = HEAD + b"Content-Length: 2\r\n\r\n{}"  # with nothing said of the connection's end
    with stub(answer) as place, in_front(store, panel_url=place.url) as front:
        for _ in range(5):
            assert ask(front).status_code == 200
            wait_until(lambda: place.closed == len(place.requests))
    assert len(place.requests) == 5
