"""One attack on a real server behind nginx, while a neighbour calls: what it cost whom."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPSConnection
from itertools import count
from pathlib import Path
from typing import Self

from models.access import secrets
from models.campaigns import campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.promotions.campaign_counts import Owner
from tests import stores
from tests.attack.kinds import Kind, Means, Request
from tests.attack.reports import Report
from tests.concurrency.clients import bound_store
from tests.credentials import QUERY
from tests.nginx_site import HOST, Site, fronted
from tests.serving import environment, served
from tests.waiting import wait_until

NEIGHBOUR = "127.0.0.2"
CALL = f"/admin/api.php?{QUERY}&call=getHostBillversion"
PAUSE_SECONDS = 0.05
CALL_SECONDS = 8
"""How long the neighbour waits for an answer."""
STOP_SECONDS = 5
CANCEL_SECONDS = 5
CLIENTS = 8
OTHERS_CODES = 50
RESET_PEAK = "5"
"""What proc(5) wants in clear_refs."""
attackers = count(1)


@dataclass
class Stage:
    """Hold what is attacked: the site, the folder of its store, and its workers."""

    site: Site
    folder: Path
    workers: frozenset[int]

    @property
    def has_ended(self) -> bool:
        """Return whether the server is no more."""
        return self.site.server.process.poll() is not None

    def stop(self) -> None:
        """End the server in any state that it may be in."""
        process = self.site.server.process
        if self.has_ended:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its own session: a hung worker outlives it
        process.wait()


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Put the site up in front of two workers over a fresh store, in which others have codes."""
    with bound_store(folder):
        campaign = campaigns.add(Owner(partner="others"), "others", "Others")
        chance = random.Random(0)  # noqa: S311  # the same codes each time
        codes = [f"{number:06d}" for number in chance.sample(range(1_000_000), OTHERS_CODES)]
        campaign_making.import_codes(campaign, codes, Plan(1), False)
        with (
            served(
                folder,
                PROMOBRIDGE_PROXY_COUNT="1",
                PROMOBRIDGE_JOB_WORKERS="0",
            ) as server,
            fronted(folder, server) as site,
        ):
            made = Stage(site, folder, server.workers)
            try:
                yield made
            finally:
                made.stop()


def run(kind: Kind, stage: Stage, seconds: float, full: bool) -> Report:
    """Attack for so many seconds at most and report; the check of the store is the caller's."""
    number = next(attackers)
    owner, slug = Owner(partner=f"attacker-{number}"), f"attack-{number}"
    campaigns.add(owner, slug, kind.name)
    secret = secrets.add(owner)[1]
    report = Report(kind.name)
    rows, size = _rows(stage), _size(stage)
    # Another address each: a lock from the attack before would be in the way of this one.
    means = Means(f"127.0.1.{number}", secret, slug, time.monotonic() + seconds, full)
    attacker = Attacker(stage.site, means, iter(kind.sends(means)))
    with Neighbour(stage.site, stage.workers) as neighbour:
        if kind.does:
            kind.does(stage.site, means)
        attacker.send_all()
    if kind.cancels:
        attacker.cancel()
    report.workers_ended = sum(not _lives(pid) for pid in stage.workers)
    if kind.rows_a_request is not None:
        stage.stop()  # what waits in the usage log is written then
    report.sent, report.statuses = attacker.statuses.total(), dict(attacker.statuses)
    report.neighbour_calls, report.neighbour_failed = neighbour.calls, neighbour.failed
    report.neighbour_slowest, report.peak_mb = neighbour.slowest, max(neighbour.peaks.values())
    report.rows = _rows(stage) - rows - neighbour.calls
    report.store_mb = round((_size(stage) - size) / 1e6, 1)
    report.judge(kind)
    return report


def check(stage: Stage) -> str:
    """Return what `promobridge db check` finds, "" when all is right."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "db", "check"],
        env=environment(stage.folder),
        cwd=stage.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


def _lives(pid: int) -> bool:
    with suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def _rows(stage: Stage) -> int:
    with stores.session(stores.url(stage.folder)) as database:
        return sum(
            database.execute_sql(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608  # ours
            for table in database.get_tables()
        )


def _size(stage: Stage) -> int:
    return sum(file.stat().st_size for file in stage.folder.glob("store.db*"))


class Neighbour:
    """Make an ordinary call every 50 ms, and watch the workers meanwhile."""

    def __init__(self, site: Site, workers: frozenset[int]) -> None:
        self.site = site
        self.workers = workers
        self.calls = self.failed = 0
        self.slowest = 0.0
        self.peaks = dict.fromkeys(workers, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> Self:
        for pid in self.workers:
            Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop after one more call, which begins now."""
        with suppress(AssertionError):
            seen = self.calls
            wait_until(lambda: self.calls >= seen + 2, 2 * CALL_SECONDS)
        self._stop.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            begun = time.monotonic()
            if not self._is_answered():
                self.failed += 1
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.calls += 1
            self.look()

    def _is_answered(self) -> bool:
        try:
            return bool(self.site.value(CALL, source=NEIGHBOUR)["success"])
        except (OSError, HTTPException, ValueError, KeyError):
            return False

    def look(self) -> None:
        """Note the peak of each worker."""
        for pid in self.workers:
            with suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                    self.peaks[pid] = max(self.peaks[pid], int(found[1]) // 1000)


class Attacker:
    """Send the requests of a kind from several connections until they are all sent or time ends."""

    def __init__(self, site: Site, means: Means, requests: Iterator[Request]) -> None:
        self.site = site
        self.means = means
        self.requests = requests
        self.statuses: Counter[str] = Counter()
        self.locations: list[str] = []
        self._lock = threading.Lock()

    def send_all(self) -> None:
        """Send them, and return when all are answered or given up."""
        threads = [threading.Thread(target=self._send) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def cancel(self) -> None:
        """Delete what was ordered."""
        orders, self.locations = self.locations, []
        secret = {"X-API-Secret": self.means.secret}
        self.means = replace(self.means, ends=time.monotonic() + CANCEL_SECONDS)
        self.requests = (Request(each, headers=secret, method="DELETE") for each in orders)
        self.send_all()

    def _send(self) -> None:
        connection: HTTPSConnection | None = None
        while (request := self._next()) is not None:
            left = max(0.1, self.means.ends - time.monotonic())
            try:
                if connection is None:
                    connection = HTTPSConnection("127.0.0.1", self.site.https)
                    connection.sock = self.site.connected(self.means.address)
                connection.sock.settimeout(left)
                status, closes = self._answered(connection, request)
            except TimeoutError:
                status, closes = "no answer", True
            except (OSError, HTTPException):
                status, closes = "cut off", True
            with self._lock:
                self.statuses[status] += 1
            if closes and connection is not None:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _answered(self, connection: HTTPSConnection, request: Request) -> tuple[str, bool]:
        headers = {"Host": HOST, **request.headers}
        method = request.method or ("POST" if request.body else "GET")
        connection.request(method, request.target, request.body or None, headers)
        with connection.getresponse() as answer:
            answer.read()
            if location := answer.headers.get("Location"):
                self.locations.append(location)
            return str(answer.status), answer.will_close

    def _next(self) -> Request | None:
        with self._lock:
            return next(self.requests, None) if time.monotonic() < self.means.ends else None
