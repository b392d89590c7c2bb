"""A whole move: promobridge before the panel, unchanged clients, and kills of both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from app.cli import main
from models.panel.pending import SENT, PanelFlight, PanelPending
from models.store import clock
from tests import stores
from tests.panel.php_client import PhpClient, php_client
from tests.panel.php_panel import PhpPanel
from tests.serving import Server, environment, served, wait_for_workers, workers
from tests.waiting import SECONDS, wait_until

ROUNDS = int(os.environ.get("PROMOBRIDGE_TEST_ROUNDS", "1"))
"""How often worker and panel are killed in each phase."""
APPLY, ADD, UPDATE = WRITES = "applyInvoiceCoupon", "addPromoCode", "updatePromoCode"
BATCHES, CODES, DETAILS = READS = "listPromoBatches", "listPromoCodes", "getPromoDetailsByCode"
LIMITED, CHANGED, SHARED = "L", "OWN", "SHARED"
SHARED_USES = 400
TURNS = 300 * (1 + ROUNDS)
"""How many rounds of calls a client makes at most."""
LOG_ROWS = 60
"""How many calls wait in a process, at most, until they are in the usage log."""
SETTINGS = {
    "PROMOBRIDGE_THREADS": "8",
    "PROMOBRIDGE_PANEL_SILENCE_SECONDS": "300",
    "PROMOBRIDGE_BATCHES_PER_PAGE": "1",
    "PROMOBRIDGE_CODES_PER_PAGE": "1000",
    "PROMOBRIDGE_PANEL_EQUAL_ANSWERS": "2",
    "PROMOBRIDGE_USAGE_LOG_SECONDS": "1",
    "PROMOBRIDGE_USAGE_LOG_ROWS": str(LOG_ROWS),
}
IN_FORCE_SECONDS = 1
"""When reads go by a new route on all processes, as is promised; writes do at once."""
WORKERS = 2
WALKS = 10
"""How often a walk is begun again, when it was killed or when rows moved."""


FORM = {"coupon_type": "invoice", "type": "percent", "value": "15"}
BATCH = {
    **{"status": "Active", "prefix": "", "complexity": "2", "notes": "", **FORM},
    **dict.fromkeys(("created_at", "updated_at"), "2025-03-14 03:20:34"),
}


@dataclass
class Caller:
    """Hold a client that runs all along."""

    name: str
    pair: tuple[str, str]
    calls: Sequence[tuple[str, dict[str, str]]]
    client: PhpClient | None = None

    @property
    def running(self) -> PhpClient:
        """Return the process."""
        assert self.client is not None
        assert self.client.process.poll() is None, f"{self.name} has made all its calls"
        return self.client


@dataclass
class Move:
    """Hold the panel, promobridge before it, and the clients of both."""

    panel: PhpPanel
    folder: Path
    server: Server
    callers: list[Caller]
    settings: dict[str, str]
    kills: int = 0
    """How often a worker was killed."""
    unknown: list[dict[str, Any]] = field(default_factory=list)
    """The calls that were settled."""
    switches: dict[str, tuple[dict[str, int], dict[str, int]]] = field(default_factory=dict)
    """How many answers the clients had before and after each switch of routes, by its name."""

    # Commands

    def started(self, *words: str) -> subprocess.Popen[str]:
        """Begin a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", *words],
            cwd=self.folder,
            env=environment(self.folder, **self.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def tried(self, *words: str) -> tuple[int, str, str]:
        """Run a command; return its exit status and what it said."""
        process = self.started(*words)
        try:
            said, error = process.communicate(timeout=5 * SECONDS)
        finally:
            process.kill()
            process.wait()
        return process.returncode, said, error

    def run(self, *words: str) -> str:
        """Run a command that must succeed."""
        status, said, error = self.tried(*words)
        assert status == 0, (words, said, error)
        return said

    def value(self, *words: str) -> Any:
        """Run a command of `promobridge panel` with --json, here, and return its one value."""
        environment = {"PROMOBRIDGE_DATABASE_URL": stores.url(self.folder)} | self.settings
        done = CliRunner().invoke(main, ["panel", *words, "--json"], env=environment)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def switch(self, name: str, *words: str) -> None:
        """Route calls, and note under this name which answers came before and after it."""
        before = self.counts()
        self.run("panel", "route", *words)
        in_force = clock.elapsed() + IN_FORCE_SECONDS
        if not set(READS).isdisjoint(words):
            wait_until(lambda: clock.elapsed() >= in_force)
        self.note(name, before)

    def note(self, name: str, before: dict[str, int]) -> None:
        """Note under a name a switch that began when the clients had so many answers."""
        self.switches[name] = before, self.counts()

    def surely_between(self, first: str, last: str) -> dict[str, dict[str, Any]]:
        """Return answers to calls that began after a switch and were answered before another."""
        after, before = self.switches[first][1], self.switches[last][0]
        return {
            mark: each
            for mark, each in self.answers().items()
            if after[each["client"]] < each["at"] < before[each["client"]]
        }

    def maybe_between(self, first: str, last: str) -> dict[str, dict[str, Any]]:
        """Return these answers, and those to calls that were made while it was switched."""
        after, before = self.switches[first][0], self.switches[last][1]
        return {
            mark: each
            for mark, each in self.answers().items()
            if after[each["client"]] <= each["at"] <= before[each["client"]]
        }

    def walk(self, *disturbed: Callable[[subprocess.Popen[str]], None]) -> dict[str, Any]:
        """Walk until it is finished; it may be broken off, and rows may move while it reads.

        The first walk is disturbed by the first of these, and so on.
        """
        said = ""
        for number in range(WALKS):
            process = self.started("panel", "walk", "--rate", "1000", "--json")
            if number < len(disturbed):
                disturbed[number](process)
            said, error = process.communicate(timeout=5 * SECONDS)
            if process.returncode == 0:
                found: dict[str, Any] = json.loads(said)
                return found
            said = f"{said}\n{error}"
        raise AssertionError(said)

    # Clients

    def work(self, rounds: int = 1) -> None:
        """Let each client make so many rounds of its calls."""
        goals = {each.name: rounds * len(each.calls) for each in self.callers}
        begun = self.counts()

        def is_done() -> bool:
            done = self.counts()
            return all(done[name] - begun[name] >= goal for name, goal in goals.items())

        self._until(is_done)

    def stop(self) -> None:
        """End the clients, then promobridge when it has answered all; the panel is idle then."""
        for caller in self.callers:
            running = caller.running.process
            running.kill()
            running.wait()
        assert self.server.stop()[0] == 0, self.server.log()

    def counts(self) -> dict[str, int]:
        """Return how many answers each client has."""
        return {each.name: each.running.count() for each in self.callers}

    def answers(self) -> dict[str, dict[str, Any]]:
        """Return the answers of all clients by their marks, with the client and its number."""
        return {
            each["arguments"]["ref"]: each | {"client": caller.name, "at": at}
            for caller in self.callers
            if caller.client
            for at, each in enumerate(caller.client.answers())
        }

    def until_answered(self, call: str, since: dict[str, int]) -> None:
        """Wait until each client that makes a call has a new answer to it, of whoever is there."""
        for caller in self.callers:
            if call not in {name for name, _ in caller.calls}:
                continue

            def is_answered(caller: Caller = caller) -> bool:
                new = caller.running.answers()[since[caller.name] :]
                return any(each["call"] == call and each["status"] == 200 for each in new)

            self._until(is_answered)

    # Kills

    def kill_worker(self, pid: int = 0) -> None:
        """Kill a worker as the kernel does."""
        pid = pid or min(workers(self.server))
        os.kill(pid, signal.SIGKILL)
        self.kills += 1

    def wait_for_workers(self, killed: int = 0) -> None:
        """Wait until all are there again."""
        wait_for_workers(self.server, WORKERS, but={killed} if killed else ())

    def kill_both_in_the_midst(self, kind: str) -> None:
        """Kill a worker, then the panel, while it is at a write of each client.

        First of all clients, then again of those whose worker was killed: at last the panel alone.
        """
        faults = [self.panel.fault(kind, call, seconds=600) for call in (APPLY, ADD)]
        rows = self._until(lambda: self._held() if len(self._held()) == len(self.callers) else [])
        pid = int(rows[0].worker.split()[-1])
        cut_off = sum(row.worker == rows[0].worker for row in rows)
        before = self.counts()
        self.kill_worker(pid)

        def are_back() -> bool:
            now = self.counts()
            return sum(now[name] > count for name, count in before.items()) >= cut_off

        self._until(are_back)
        held = self._until(self._held)
        self.panel.kill()
        for fault in faults:
            fault.remove()
        # The panel is at none of them any more: let the time pass that it has for them.
        for each in held:
            type(each).update(deadline=clock.now()).where(type(each).id == each.id).execute()
        self.panel.start()
        self.wait_for_workers(pid)

    def _held(self) -> list[Any]:
        """Return the rows of writes that are under way if the panel is at one of each client."""
        held = {
            each.arguments["ref"]
            for each in self.panel.journal()
            if each.call in (APPLY, ADD) and each.faults
        }
        if not all(f"{name}-{count}" in held for name, count in self.counts().items()):
            return []
        now = clock.now()
        open_ = PanelPending.state == SENT, PanelPending.deadline > now
        return [
            *PanelFlight.select().where(PanelFlight.deadline > now),
            *PanelPending.select().where(*open_),
        ]

    def _until(self, true: Callable[[], Any]) -> Any:
        return wait_until(true, 2 * SECONDS, why=self.server.log, pause=0.1)


def succeeded(answer: dict[str, Any]) -> bool:
    """Tell whether a client was answered that its call was carried out."""
    return answer["status"] == 200 and bool(answer["answer"]) and answer["answer"]["success"]


@contextmanager
def moving(panel: PhpPanel, folder: Path) -> Iterator[Move]:
    """Run promobridge before the panel, over the store of the folder, and clients of it."""
    settings = SETTINGS | panel.environment()
    _sell(panel)
    callers = [_spender(panel, "21"), _spender(panel, "22"), _maker(panel)]
    with served(folder, **settings) as server, ExitStack() as running:
        move = Move(panel, folder, server, callers, settings)
        move.run("panel", "learn", "--from", "127.0.0.0/8", "--hours", "1")
        api_id, api_key = callers[-1].pair
        move.run("access", "add", "--id", api_id, "--key", api_key, "--ip", "127.0.0.1")
        for caller in callers:
            calls = [
                (call, arguments | {"ref": f"{caller.name}-{{n}}"})
                for call, arguments in caller.calls
            ]
            output = folder / f"{caller.name}.jsonl"
            url = server.endpoint
            caller.client = running.enter_context(
                php_client(output, panel, calls, url=url, times=TURNS, pause=0.25, pair=caller.pair)
            )
        yield move


def _spender(panel: PhpPanel, prefix: str) -> Caller:
    """Return a client that spends codes; each code of `LIMITED` is wanted by two of them."""
    calls = (
        ("getClientDetails", {"id": "1"}),
        (DETAILS, {"code": "SINGLE001"}),
        (APPLY, {"id": prefix + "{n}", "applycoupon": LIMITED + "{n}"}),
        (BATCHES, {"page": "0"}),
        (APPLY, {"id": prefix + "{n}", "applycoupon": SHARED}),
    )
    return Caller(f"spender{prefix}", panel.access(), calls)


def _maker(panel: PhpPanel) -> Caller:
    """Return a client that makes codes and changes others, in no hurry."""
    calls = (
        ("getOrderDraft", {"id": "77"}),
        (ADD, FORM | {"code": "NEW{n}"}),
        (UPDATE, FORM | {"id": "7000{n}", "code": CHANGED + "{n}", "notes": "{n}"}),
        (CODES, {"page": "0"}),
    )
    return Caller("maker", panel.access(), calls)


def _sell(panel: PhpPanel) -> None:
    """Store the codes and invoices that the clients name."""
    calls = 5 * TURNS
    for prefix in ("21", "22"):
        panel.execute(
            """WITH RECURSIVE call(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM call LIMIT ?)
               INSERT INTO invoice (id, client_id, status, date, duedate)
               SELECT CAST(? || n AS INTEGER), n % 40 + 1, 'Unpaid', '2026-01-15', '2026-01-30'
               FROM call""",
            calls,
            prefix,
        )
    panel.execute(
        """INSERT INTO invoice_line (invoice_id, type, item_id, description, amount)
           SELECT id, 'Other', 0, 'Advice', 50 FROM invoice WHERE id > 2000"""
    )
    for others in ("coupon_use", "coupon WHERE batch_id > 0", "batch"):
        panel.execute(f"DELETE FROM {others}")  # noqa: S608 - ours
    limited, small = (
        panel.insert("batch", name=name, **BATCH) for name in ("Limited", "The newest")
    )
    for columns, first, step in (
        (f"'{LIMITED}' || n, NULL, 1", 2, 5),
        (f"'{CHANGED}' || n, CAST(7000 || n AS INTEGER), 0", 2, 4),
    ):
        panel.execute(
            f"""WITH RECURSIVE turn(n) AS (SELECT ? UNION ALL SELECT n + ? FROM turn LIMIT ?)
                INSERT INTO coupon (code, id, max_usage, batch_id, coupon_type, type, value)
                SELECT {columns}, ?, 'invoice', 'percent', 10 FROM turn""",  # noqa: S608 - ours
            *(first, step, TURNS, limited),
        )
    panel.insert("coupon", code=SHARED, batch_id=limited, max_usage=SHARED_USES, **FORM)
    panel.insert("coupon", code="ALONE", batch_id=small, **FORM)
    panel.set(batches_per_page=1, codes_per_page=1000)
    for call, seconds in (("getClientDetails", 0.2), ("getOrderDraft", 1.0)):
        panel.fault("delay", call, seconds=seconds)
