"""The measures that take a time or a size, without wrk: S7, S9 and S10."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from models.promotions import batches, generation
from models.promotions.terms import Terms
from tests.bench import data, servers
from tests.bench.load import call
from tests.bench.results import Cell, Row, ratios
from tests.bench.scale import Scale
from tests.bench.servers import GUNICORN, OURS, Broken, Server

LIST = call("listPromoBatches")
MEGABYTE = 1_048_576
ALONE = "without a server"


def generated(folder: Path, scale: Scale) -> Iterator[Row]:
    """S7: codes drawn and stored, beside a bare executemany of the same rows."""
    times: dict[str, list[float]] = {"generation": [], "executemany": []}
    for number in range(scale.rounds):
        store, bare = folder / f"{number}.db", folder / f"{number}-bare.db"
        with data.opened(store):
            batch = batches.add("S7", Terms.of(), requested=scale.generated, length=12)
            start = time.perf_counter()
            generation.fill(batch, lambda _: None)
            times["generation"].append(time.perf_counter() - start)
        with data.opened(bare):
            batches.add("S7", Terms.of(), requested=scale.generated, length=12)
        times["executemany"].append(_inserted_again(store, bare))
        for each in (store, bare):
            each.unlink()
    over_bare = ratios(times["generation"], times["executemany"])
    detail = ", ".join(f"{name} {min(values):.1f} s" for name, values in times.items())
    cells = {ALONE: Cell(over_bare, most=2, detail=detail)}
    yield Row("S7", f"generate {scale.generated:,} codes", "time / executemany", cells)


def _inserted_again(store: Path, bare: Path) -> float:
    """Return the seconds that inserting all coupons of one store into another takes."""
    with closing(sqlite3.connect(store)) as raw:
        rows = raw.execute("SELECT * FROM coupon ORDER BY id").fetchall()
    sql = f"INSERT INTO coupon VALUES ({', '.join('?' * len(rows[0]))})"  # noqa: S608 - only ?
    with closing(sqlite3.connect(bare)) as raw:
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA cache_size=-65536")
        start = time.perf_counter()
        with raw:
            raw.executemany(sql, rows)
        return time.perf_counter() - start


def huge_page(folder: Path, scale: Scale) -> Iterator[Row]:
    """S9: a page that is larger than the memory a worker may have."""
    store = folder / "store.db"
    data.make(store, 100, scale.coupons_each)
    peaks, first_bytes = {}, {}
    for name in OURS:
        streamed = []
        for _ in range(min(scale.rounds, 3)):
            with servers.promobridge(name, store, processes=1) as server:
                streamed.append((*_streamed(server, LIST), _peak_megabytes(server)))
        seconds, sizes, megabytes = zip(*streamed, strict=True)
        detail = f"{min(sizes) / 1e6:,.0f} MB streamed"
        peaks[name] = Cell(megabytes, " MB", most=200, detail=detail)
        first_bytes[name] = Cell(seconds, " s", most=1)
    work = f"page of 100 x {scale.coupons_each:,}"
    yield Row("S9", work, "peak of the largest process", peaks)
    yield Row("S9", work, "time to the first byte", first_bytes)


def _streamed(server: Server, path: str) -> tuple[float, int]:
    """Return the seconds until the body begins, and its bytes."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=servers.START_SECONDS)
    try:
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read(1))
        first = time.perf_counter() - start
        while piece := answer.read(MEGABYTE):
            size += len(piece)
            last = piece
    finally:
        connection.close()
    if not last.endswith(b"}"):
        raise Broken(f"{server.name} broke off after {size} bytes")
    return first, size


def _peak_megabytes(server: Server) -> float:
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in server.workers()]
    return max(int(re.findall(r"VmHWM:\s+([0-9]+) kB", text)[0]) for text in texts) / 1024


def starts(folder: Path, scale: Scale) -> Iterator[Row]:
    """S10: from nothing, or from a worker's end, to the first answer, and to the help text."""
    store = folder / "store.db"
    data.make(store, 1, 4)
    served: dict[str, list[float]] = {name: [] for name in OURS}
    replaced, helped = [], []
    for _ in range(scale.rounds):
        for name in OURS:
            start = time.perf_counter()
            with servers.promobridge(name, store):
                served[name].append(time.perf_counter() - start)
        with servers.promobridge(GUNICORN, store, processes=1) as server:
            (worker,) = server.workers()
            start = time.perf_counter()
            os.kill(worker, signal.SIGKILL)
            server.get("/admin/api.php?call=")
            replaced.append(time.perf_counter() - start)
        start = time.perf_counter()
        command = [sys.executable, "-m", "app.cli", "--help"]
        subprocess.run(command, cwd=servers.CHECKOUT, check=True, capture_output=True, timeout=60)
        helped.append(time.perf_counter() - start)
    work = "start to the first answer"
    yield Row(
        "S10", work, "time", {name: Cell(each, " s", most=1) for name, each in served.items()}
    )
    # Granian waits before it replaces a worker, for as long as it is told.
    yield Row("S10", "worker replaced", "time", {GUNICORN: Cell(replaced, " s", most=1)})
    yield Row("S10", "promobridge --help", "time", {ALONE: Cell(helped, " s", most=0.3)})
