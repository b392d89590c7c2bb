"""Load: wrk with four connections, in alternation, and a client that redeems meanwhile."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.bench.data import PAIR, code_of
from tests.bench.servers import Broken, Server, program

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 4
CLIENTS = 8
"""Connections that redeem, in turn: under load an answer comes later than the next is due."""
LATE_SECONDS = 20
"""How much longer than asked wrk may run: an answer that has begun is waited for."""
SAME_SIZE = 0.9
"""The smallest part of the expected bytes that an answer may have on average."""


@dataclass(frozen=True)
class Codes:
    """Say what is asked for: `lookup` draws a code, `apply` takes each, `pages` draws a page.

    `first` is the number of the first of them.
    """

    kind: str
    first: int
    count: int


def call(name: str, **arguments: object) -> str:
    """Return the path and query of a legacy call with the credentials of the stores."""
    query = {"api_id": PAIR.api_id, "api_key": PAIR.api_key, "call": name, **arguments}
    return "/admin/api.php?" + "&".join(f"{key}={value}" for key, value in query.items())


def rate(
    server: Server, path: str, seconds: int, codes: Codes | None = None, least_bytes: int = 0
) -> float:
    """Return the requests per second that a server answered, each with at least so many bytes.

    Raises Broken for lost requests and for answers that are too short to be right.
    """
    given = [path] if codes is None else [path, codes.kind, str(codes.first), str(codes.count)]
    command = [program("wrk"), "-c", str(CONNECTIONS), "-t", "1", "-d", f"{seconds}s"]
    command += ["-s", str(SCRIPT), server.url(""), "--", *given]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds + LATE_SECONDS)
    total = next((line for line in ran.stdout.splitlines() if line.startswith("TOTAL ")), "")
    if not total:
        raise Broken(f"wrk on {server.name}: {ran.stdout}{ran.stderr}")
    requests, microseconds, received, lost = map(int, total.split()[1:])
    if lost or not requests:
        raise Broken(f"{server.name} lost {lost} of {requests} requests")
    if received / requests < least_bytes * SAME_SIZE:
        raise Broken(f"{server.name} answered {received / requests:.0f} bytes, not {least_bytes}")
    return requests * 1e6 / microseconds


def alternate(
    contestants: Mapping[str, Callable[[int], float]], rounds: int
) -> dict[str, list[float]]:
    """Run each in turn, so many times; the number of the round is the argument. Return what each
    measured."""
    measured: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, run in contestants.items():
            measured[name].append(run(number))
    return measured


class Redeeming:
    """Redeem one code over and over through HTTP, each time on an invoice of its own."""

    def __init__(self, server: Server, number: int, per_second: int) -> None:
        self.server = server
        self.path = call("applyInvoiceCoupon", applycoupon=code_of(number))
        self.pause = 1 / per_second
        self.invoices = itertools.count(time.monotonic_ns() // 1_000_000 % 1_000_000_000)
        self.done = 0
        self.refused = b""
        self.ended = threading.Event()

    def run(self, first_seconds: float) -> None:
        """Redeem until `ended`, beginning after a while; what is late is not caught up."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=LATE_SECONDS)
        due = time.monotonic() + first_seconds
        while not self.ended.wait(max(0.0, due - time.monotonic())):
            due = max(due + self.pause * CLIENTS, time.monotonic())
            number = next(self.invoices)
            connection.request("GET", f"{self.path}&id={number}&client_id={number}")
            body = connection.getresponse().read()
            if not body.startswith(b'{"success":true'):
                self.refused = body
                break
            self.done += 1
        connection.close()


@contextmanager
def redeeming(server: Server, number: int, per_second: int) -> Iterator[Redeeming]:
    """Redeem the code with a number meanwhile. Raises Broken when that is refused."""
    client = Redeeming(server, number, per_second)
    threads = [
        threading.Thread(target=client.run, args=(client.pause * at,), daemon=True)
        for at in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield client
    finally:
        client.ended.set()
        for thread in threads:
            thread.join(LATE_SECONDS)
    if client.refused or not client.done:
        raise Broken(f"{server.name} did not redeem: {client.refused!r}")
