"""kill -9 of the process that sends webhooks: no event is lost, none is told without its change.

PROMOBRIDGE_TEST_ROUNDS=20 pytest tests/failure/test_webhook_kills.py  # more kills, by hand
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from app.config import Settings
from app.webhooks import secrets
from app.webhooks.secrets import Seal
from models.promotions import batch_life
from models.promotions.batches import Batch
from models.promotions.terms import Terms
from models.store import visibility
from models.store.base import change
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import DELIVERED, WebhookDelivery, WebhookEvent
from models.webhooks.webhooks import BATCH_CREATED, Webhook
from tests.receiver import LOOPBACK, Receiver, receiving
from tests.serving import environment
from tests.waiting import wait_until

ROUNDS = int(os.environ.get("PROMOBRIDGE_TEST_ROUNDS", "2"))
EVENTS_OF_ROUND = 12
BEFORE, AFTER, BETWEEN = "before its answer", "after its answer", "at any moment"


@contextmanager
def delivering(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the process that sends."""
    command = [sys.executable, "-m", "app.cli", "webhook", "deliver"]
    process = subprocess.Popen(command, cwd=folder, env=environment(folder))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)


def meet(receiver: Receiver, process: subprocess.Popen[bytes], moment: str) -> None:
    """Kill the process at the fifth request from now, at a moment of it."""
    fifth = len(receiver.received) + 5

    def at(number: int) -> None:
        if number == fifth:
            kill(process)

    receiver.before = at if moment == BEFORE else lambda number: None
    receiver.after = at if moment == AFTER else lambda number: None
    if moment == BETWEEN:
        wait_until(lambda: len(receiver.received) >= fifth)
        kill(process)


def test_each_event_is_told_with_its_change_and_none_without(
    store: Settings, tmp_path: Path
) -> None:
    with receiving() as receiver:
        secret = secrets.new()
        sealed = Seal(Settings(webhook_key_file=str(tmp_path / "promobridge-webhooks.key")))
        webhooks.add(
            receiver.url,
            [BATCH_CREATED],
            sealed.sealed(secret),
            visibility.LIVE,
            networks=[LOOPBACK],
        )
        for moment in (BEFORE, AFTER, BETWEEN) * ROUNDS:
            for number in range(EVENTS_OF_ROUND):
                with change() as transaction:
                    batch_life.make(f"Batch {number}", Terms.of(), 1)
                    if number % 3 == 2:
                        transaction.rollback()
            # As long as a process that was killed is said to have it nobody else would.
            Webhook.update(held_until=0).execute()
            with delivering(tmp_path) as process:
                meet(receiver, process, moment)
                assert process.wait(60) == -signal.SIGKILL
        Webhook.update(held_until=0).execute()
        with delivering(tmp_path) as process:
            wait_until(lambda: not deliveries.waiting())
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    for request in receiver.received:
        Verifier(secret).verify(request.body, request.headers)
    events = {event.uuid: event for event in WebhookEvent.select()}
    assert set(receiver.ids()) == set(events)
    batches = {batch.id for batch in Batch.select()}
    told = [request.json["data"]["batchId"] for request in receiver.received]
    assert set(told) == batches
    assert len(events) == len(batches) == EVENTS_OF_ROUND * 2 // 3 * 3 * ROUNDS
    assert {each.state for each in WebhookDelivery.select()} == {DELIVERED}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_told_to_stop_ends_what_it_began(
    store: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    with receiving() as receiver:
        sealed = Seal(Settings(webhook_key_file=str(tmp_path / "promobridge-webhooks.key")))
        webhooks.add(
            f"{receiver.url}hang",
            [BATCH_CREATED],
            sealed.sealed(secrets.new()),
            visibility.LIVE,
            networks=[LOOPBACK],
        )
        batch_life.make("Batch", Terms.of(), 1)
        with delivering(tmp_path) as process:
            wait_until(lambda: receiver.received)
            process.send_signal(number)
            receiver.let_go.set()
            assert process.wait(60) == 0
        assert WebhookDelivery.get().state == DELIVERED
        assert Webhook.get().held_until == 0
