"""promobridge webhook deliver: the process that sends events to webhooks."""

from __future__ import annotations

import logging
import os
import signal
import threading
from zoneinfo import ZoneInfo

import click

from app import config, db, logs
from app.webhooks.secrets import Seal
from app.webhooks.sending import Sender
from models.campaigns import endings
from models.promotions import expiry
from models.store import clock, schema
from models.store.base import database
from models.store.errors import AWAY, Busy
from models.webhooks import deliveries

POLL_SECONDS = 0.5
"""How long an idle process waits before it looks again."""
AWAY_SECONDS = 5.0
"""How long it waits for a store that is away."""
SWEEP_SECONDS = 30.0
"""How often it looks for what has ended by its time alone."""
STOP_SECONDS = 16.0
"""How long requests that are under way may take when it stops."""
log = logging.getLogger(__name__)


@click.command(name="deliver", epilog="Example: promobridge webhook deliver")
@click.option("--once", is_flag=True, help="End when nothing is due.")
@click.option("--beside", type=int, hidden=True, help="End when this parent process has ended.")
def command(once: bool, beside: int | None) -> None:
    """Send events to webhooks until Ctrl-C or SIGTERM.

    `promobridge serve` starts one beside itself; more may run. One that is killed loses nothing:
    what it had not kept is sent again, with the same id.
    """
    settings = config.from_environment()
    logs.configure(settings)
    zone = ZoneInfo(settings.timezone)
    with db.bind(settings).connection_context():
        schema.require_current()
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    sender = Sender(Seal(settings))
    sweep_at = 0.0
    while not told.is_set() and beside in (None, os.getppid()):
        try:
            with database.connection_context():
                if clock.elapsed() >= sweep_at:
                    expiry.expire_due(clock.today(zone))
                    endings.sweep()
                    sweep_at = clock.elapsed() + SWEEP_SECONDS
                busy = sender.turn(POLL_SECONDS)
                if once and not (busy or deliveries.webhooks_due()):
                    break
        except (*AWAY, Busy) as problem:
            log.warning("The store cannot be reached: %s", type(problem).__name__)
            told.wait(AWAY_SECONDS)
            continue
        if not busy:
            told.wait(POLL_SECONDS)
    with database.connection_context():
        sender.close(STOP_SECONDS)
