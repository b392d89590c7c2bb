"""Workers and the panel are killed under clients that go on: no call reaches the panel twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from app.config import Settings
from models.access import accesses
from models.access.accesses import Pair
from tests.panel.php_client import PhpClient, php_client
from tests.panel.php_panel import PhpPanel
from tests.serving import served, workers
from tests.waiting import wait_until

CLIENTS, ANSWERS = 3, 12
CALLS = ("getClients", "getInvoiceDetails", "getClientDetails")


def more_answers(clients: list[PhpClient]) -> None:
    """Wait until each client has some more answers of the panel's own."""
    seen = [len(successes(client)) for client in clients]
    wait_until(
        lambda: all(
            len(successes(client)) >= before + ANSWERS
            for client, before in zip(clients, seen, strict=True)
        ),
        why=lambda: [client.answers()[-3:] for client in clients],
    )


def successes(client: PhpClient) -> list[dict[str, Any]]:
    return [each for each in client.answers() if (each["answer"] or {}).get("success")]


def test_no_call_reaches_the_panel_twice(store: Settings, tmp_path: Path, panel: PhpPanel) -> None:
    accesses.add("tests", Pair(panel.api_id, panel.api_key))
    with ExitStack() as running:
        server = running.enter_context(
            served(
                tmp_path,
                PROMOBRIDGE_PANEL_URL=panel.url,
                PROMOBRIDGE_PANEL_CA=str(panel.ca),
            )
        )
        clients = [
            running.enter_context(
                php_client(
                    tmp_path / f"client-{number}.jsonl",
                    panel,
                    [(name, {"id": 801, "mark": f"{number}-{{n}}"}) for name in CALLS],
                    url=server.endpoint,
                    times=0,
                )
            )
            for number in range(CLIENTS)
        ]
        more_answers(clients)
        for _ in range(2):
            for worker in workers(server):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
                more_answers(clients)
            panel.kill("php")
            panel.start("php")
            more_answers(clients)
            panel.kill("web")
            panel.start("web")
            more_answers(clients)
        for client in clients:
            client.process.kill()
            client.process.wait()
        answered = [each for client in clients for each in successes(client)]
    times = Counter(entry.arguments.get("mark") for entry in panel.journal())
    del times[None]  # what the panel was asked when it started
    assert {mark: count for mark, count in times.items() if count > 1} == {}
    assert all(times[each["arguments"]["mark"]] == 1 for each in answered)
