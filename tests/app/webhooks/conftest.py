"""Fixtures: a receiver, webhooks that lead to it, and a process's sender in this one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.config import Settings
from app.webhooks import secrets
from app.webhooks.secrets import Seal
from app.webhooks.sending import Sender
from models.promotions import batch_life
from models.promotions.terms import Terms
from models.store import visibility
from models.webhooks import deliveries, webhooks
from models.webhooks.webhooks import BATCH_CREATED, Webhook
from tests.receiver import LOOPBACK, Receiver, receiving
from tests.waiting import wait_until


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a receiver."""
    with receiving() as running:
        yield running


@pytest.fixture
def seal(store: Settings, settings: Settings, tmp_path: Any) -> Seal:
    """Seal with a key of this test alone."""
    return Seal(Settings(settings.database_url, webhook_key_file=str(tmp_path / "webhooks.key")))


class Hooks:
    """Make webhooks that lead to a receiver, and let things happen."""

    def __init__(self, receiver: Receiver, seal: Seal) -> None:
        self.receiver, self.seal = receiver, seal

    def add(self, path: str = "", *events: str, **fields: Any) -> tuple[Webhook, str]:
        """Return a webhook and its secret."""
        secret = secrets.new()
        made = webhooks.add(
            self.receiver.url + path,
            events or (BATCH_CREATED,),
            self.seal.sealed(secret),
            visibility.LIVE,
            **({"networks": [LOOPBACK]} | fields),
        )
        return made, secret

    def happen(self, count: int = 1) -> None:
        """Let so many batches be created."""
        for number in range(count):
            batch_life.make(f"Batch {number}", Terms.of(), 1)


@pytest.fixture
def hooks(receiver: Receiver, seal: Seal) -> Hooks:
    """Make webhooks for the receiver."""
    return Hooks(receiver, seal)


def send_all(seal: Seal) -> None:
    """Send what is due, until nothing is."""
    sender = Sender(seal)
    wait_until(lambda: not (sender.turn(0.5) or deliveries.webhooks_due()), pause=0)
    sender.close(20)
