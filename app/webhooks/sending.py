"""Send what is due to webhooks: one process, a few threads for each receiver.

The table of deliveries is the queue. A process holds a webhook for some seconds at a time, so that
no two send to one. What a process that was killed had sent without keeping the answer is sent
again, with the same id.
"""

from __future__ import annotations

import logging
import queue
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_network

from app import metrics
from app.webhooks import outgoing
from app.webhooks.messages import message
from app.webhooks.outgoing import Answer
from app.webhooks.secrets import Seal
from models.store import clock
from models.store.errors import Invalid
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import Due, Try
from models.webhooks.webhooks import Webhook

UNDER_WAY = 2
"""Requests under way to one webhook."""
READ_AHEAD = 100
"""Deliveries of a webhook that wait in memory."""
THREADS = UNDER_WAY * webhooks.MOST
"""Enough for all webhooks at once: one whose requests hang never holds another."""
RENEW_SECONDS = 1.0
"""How often a process says which webhooks it holds, and looks for more."""
log = logging.getLogger(__name__)


@dataclass
class Lane:
    """Hold what waits for one webhook and what is under way, by the ids of deliveries.

    `has_more` says that more may wait in the store.
    """

    webhook: Webhook
    waiting: deque[Due] = field(default_factory=deque)
    under_way: dict[int, Due] = field(default_factory=dict)
    has_more: bool = False


class Sender:
    """Send what is due, to each webhook apart from the others. One thread calls it."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._name = clock.random_uuid()
        self._lanes: dict[int, Lane] = {}
        self._tried: queue.SimpleQueue[Try] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(THREADS, "webhook")
        self._unkept: list[Try] = []
        self._look_at = 0.0

    def turn(self, wait_seconds: float) -> bool:
        """Do what can be done now, then wait for an answer; tell whether anything is under way."""
        self._start()
        self._collect(wait_seconds if self._busy else 0)
        self._start()  # before the store is written: receivers need not wait for that
        self._keep()
        if clock.elapsed() >= self._look_at or self._hungry:
            self._look_at = clock.elapsed() + RENEW_SECONDS
            self._look()
        self._start()
        return self._busy

    def close(self, seconds: float) -> None:
        """Wait for what is under way, keep it, and leave the webhooks to others."""
        end = clock.elapsed() + seconds
        while self._busy and clock.elapsed() < end:
            self._collect(end - clock.elapsed())
            self._keep()
        webhooks.let_go(self._name)
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def _busy(self) -> bool:
        return any(lane.under_way for lane in self._lanes.values())

    @property
    def _hungry(self) -> bool:
        """Tell whether a webhook has more in the store and nothing in memory."""
        return any(lane.has_more and not lane.waiting for lane in self._lanes.values())

    def _look(self) -> None:
        """Hold the webhooks that something is due to, and read ahead for each."""
        under_way = [number for number, lane in self._lanes.items() if lane.under_way]
        ids = sorted({*deliveries.webhooks_due(), *under_way})
        held = {webhook.id: webhook for webhook in webhooks.hold(ids, self._name)}
        for number in [*self._lanes]:
            lane = self._lanes[number]
            if number not in held:
                lane.waiting.clear()  # it is removed, disabled, or another process has it
                if not lane.under_way:
                    del self._lanes[number]
        for number, webhook in held.items():
            lane = self._lanes.setdefault(number, Lane(webhook))
            lane.webhook = webhook
            if not lane.waiting:
                found = deliveries.due(number, READ_AHEAD, [*lane.under_way])
                lane.waiting.extend(found)
                lane.has_more = len(found) == READ_AHEAD
                if not (lane.waiting or lane.under_way):
                    del self._lanes[number]

    def _start(self) -> None:
        for lane in self._lanes.values():
            while lane.waiting and len(lane.under_way) < UNDER_WAY:
                due = lane.waiting.popleft()
                lane.under_way[due.delivery.id] = due
                self._pool.submit(self._try, lane.webhook, due)

    def _try(self, webhook: Webhook, due: Due) -> None:
        """Send a delivery, in a thread of the pool, and put how it went where the others wait."""
        try:
            answer = send(webhook, due, self._seal)
        except Exception as problem:  # a delivery must never be lost to a bug
            log.exception("Webhook %s cannot be sent to", webhook.id)
            answer = Answer(None, f"it could not be sent: {type(problem).__name__}", None, 0.0)
        outcome = "failed" if answer.problem else "delivered"
        metrics.WEBHOOKS.labels(outcome).inc()
        self._tried.put(
            Try(
                due.delivery,
                webhook.format,
                answer.status,
                answer.problem,
                answer.retry_after,
                answer.seconds,
            )
        )

    def _collect(self, wait_seconds: float) -> None:
        """Take the tries that have ended; wait for the first one."""
        found: list[Try] = []
        with suppress(queue.Empty):
            if wait_seconds > 0:
                found.append(self._tried.get(timeout=wait_seconds))
            while True:
                found.append(self._tried.get_nowait())
        for each in found:
            self._lanes[each.delivery.webhook_id].under_way.pop(each.delivery.id)
        self._unkept += found

    def _keep(self) -> None:
        """Keep how tries went; where the store is away they are kept by the next turn."""
        if self._unkept:
            for sentence in deliveries.settle(self._unkept):
                log.warning("%s", sentence)
            self._unkept = []


def send(webhook: Webhook, due: Due, seal: Seal) -> Answer:
    """Tell a webhook of an event now, and return how it went."""
    try:
        made = message(webhook, due.event, secrets_of(webhook, seal))
    except Invalid as problem:
        return Answer(None, problem.sentence, None, 0.0)
    networks = [ip_network(each) for each in webhook.networks]
    return outgoing.post(webhook.url, made.headers, made.body, networks, made.seconds)


def secrets_of(webhook: Webhook, seal: Seal) -> list[str]:
    """Return the secrets that sign by now, the newest first. Raises Invalid."""
    sealed = [webhook.secret]
    if webhook.old_secret and (webhook.old_secret_until or 0) > clock.now():
        sealed.append(webhook.old_secret)
    return [seal.opened(each) for each in sealed]
