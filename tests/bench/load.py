"""Load: wrk with four connections, in turns, and a client that redeems meanwhile."""

from __future__ import annotations

import itertools
import math
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.bench.data import BOUGHT, PAIR, code_of
from tests.bench.scale import Scale
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


@dataclass(frozen=True)
class Sample:
    """Hold a round: answers, the seconds it was, and the processor time that the server took."""

    answers: int
    seconds: float
    processor_seconds: float

    @property
    def rate(self) -> float:
        """Return the answers a second."""
        return self.answers / self.seconds

    @property
    def cost(self) -> float:
        """Return the milliseconds of processor time an answer."""
        return self.processor_seconds * 1000 / self.answers


def ask(
    server: Server, path: str, seconds: float, codes: Codes | None = None, least_bytes: int = 0
) -> Sample:
    """Ask a server for so long, longer where no answer comes in that time.

    Raises Broken for lost requests and for answers that are too short to be right.
    """
    given = [path] if codes is None else [path, codes.kind, str(codes.first), str(codes.count)]
    # Line by line, for its first line says that it can be interrupted.
    command = ["stdbuf", "-oL", program("wrk"), "-c", str(CONNECTIONS), "-t", "1"]
    command += ["-d", f"{math.ceil(seconds)}s", "--timeout", f"{LATE_SECONDS}s"]
    command += ["-s", str(SCRIPT), server.url(""), "--", *given]
    before = server.processor_seconds()
    shown = _run(command, seconds)
    taken = server.processor_seconds() - before
    total = next((line for line in shown.splitlines() if line.startswith("TOTAL ")), "")
    if not total:
        raise Broken(f"wrk on {server.name}: {shown}")
    answers, microseconds, received, lost = map(int, total.split()[1:])
    if not (answers or lost) and seconds < LATE_SECONDS:
        return ask(server, path, seconds * 2, codes, least_bytes)
    if lost or not answers:
        raise Broken(f"{server.name} lost {lost} of {answers} answers")
    if received / answers < least_bytes * SAME_SIZE:
        raise Broken(f"{server.name} answered {received / answers:.0f} bytes, not {least_bytes}")
    return Sample(answers, microseconds / 1e6, taken)


def _run(command: list[str], seconds: float) -> str:
    """Run wrk, which knows whole seconds alone, for any; return what it says in the end."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if seconds % 1:
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=seconds + LATE_SECONDS)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def alternate(
    contestants: Mapping[str, Callable[[float, int], Sample]], scale: Scale
) -> dict[str, list[Sample]]:
    """Run each in turn, round by round, after a warm-up; return the samples of the rounds.

    The arguments are the seconds and the number of the round; the warm-up has the last number.
    """
    if scale.warm_seconds:
        for run in contestants.values():
            run(scale.warm_seconds, scale.rounds)
    measured: dict[str, list[Sample]] = {name: [] for name in contestants}
    for number in range(scale.rounds):
        for name, run in contestants.items():
            measured[name].append(run(scale.seconds, number))
    return measured


class Redeeming:
    """Redeem one code over and over through HTTP, each time on an invoice of its own."""

    def __init__(self, server: Server, number: int, per_second: int) -> None:
        self.server = server
        self.path = call("applyInvoiceCoupon", applycoupon=code_of(number), **BOUGHT)
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
