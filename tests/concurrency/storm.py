"""A storm of clients who redeem and generate while servers are killed under them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import count
from typing import Any

from models.promotions import batches
from models.promotions.batches import Batch
from models.redemptions.redemption import Redemption
from tests.concurrency.clients import Client, batch_of
from tests.waiting import SECONDS

KEYED, UNKEYED, GENERATING = 6, 4, 2
"""How many clients redeem with an idempotency_key, without one, and generate with one."""
REPEATED = 20
"""Requests that were answered just before the kill and are sent again after it."""
SIZE = 500
"""Codes in one generation: some milliseconds that a kill can fall into."""


@dataclass(frozen=True)
class Ask:
    """Hold one request; its number is its order_id and its idempotency_key."""

    number: int
    call: str
    arguments: dict[str, Any]
    keyed: bool = True


@dataclass
class Storm:
    """Remember every request that was sent, and which of them were answered."""

    codes: list[str]
    grown: Batch
    size: int = SIZE
    sent: dict[int, Ask] = field(default_factory=dict)
    answered: dict[int, dict[str, Any]] = field(default_factory=dict)
    cut: list[Ask] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @classmethod
    def over_new_codes(cls, size: int = SIZE) -> Storm:
        """Return a storm over codes that nobody else uses; `size` codes are one generation."""
        _, codes = batch_of(20)
        return cls(codes, batch_of(1)[0], size)

    @contextmanager
    def raging(self, address: tuple[str, int], down: threading.Event) -> Iterator[None]:
        """Let all clients ask without a pause until the block ends or `down` is set.

        Who has a key asks again until the answer comes, or leaves it to `ask_again` when the
        server is down.
        """
        over = threading.Event()

        def one(seat: int) -> None:
            client = Client(address)
            try:
                while not over.is_set() and not down.is_set():
                    self._settle(client, self._next(seat), down)
            finally:
                client.connection.close()

        with ThreadPoolExecutor(KEYED + UNKEYED + GENERATING) as threads:
            clients = [threads.submit(one, seat) for seat in range(KEYED + UNKEYED + GENERATING)]
            try:
                yield
            finally:
                over.set()
        for each in clients:
            each.result()

    def ask_again(self, address: tuple[str, int]) -> None:
        """Ask what had a key and was cut off, and the last that were answered already."""
        client = Client(address)
        for number in sorted(self.answered)[-REPEATED:]:
            before = self.answered[number]
            if self.sent[number].keyed:
                self._settle(client, self.sent[number], threading.Event())
                assert self.answered[number] == before, "the same key got another answer"
        while self.cut:
            self._settle(client, self.cut.pop(), threading.Event())
        client.connection.close()

    def assert_nothing_is_lost_or_invented(self) -> None:
        """Compare what the store has with what was asked and answered, none being under way."""
        redeemed = {ask.number for ask in self.sent.values() if ask.call == "redeemPromoCode"}
        rows = [row.order_id for row in Redemption.select(Redemption.order_id)]
        assert len(set(rows)) == len(rows), "a use was counted twice"
        assert set(rows) <= redeemed, "a use was counted that nobody asked for"
        assert redeemed & self.answered.keys() <= set(rows), "an answered use is lost"
        assert all(answer["success"] for answer in self.answered.values())
        keyed = {number for number in redeemed if self.sent[number].keyed}
        if not self.cut:
            assert keyed <= set(rows), "a use that was asked for until it was answered is lost"
            grown = len(self.sent) - len(redeemed)
            stored = batches.by_id(self.grown.id)
            assert stored.coupons_count == stored.made == stored.requested == 1 + grown * self.size

    def _next(self, seat: int) -> Ask:
        number = next(self._numbers)
        if seat < GENERATING:
            ask = Ask(number, "generatePromoCodes", {"id": self.grown.id, "size": self.size})
        else:
            code = self.codes[number % len(self.codes)]
            keyed = seat < GENERATING + KEYED
            ask = Ask(number, "redeemPromoCode", {"code": code, "order_id": number}, keyed)
        self.sent[number] = ask
        return ask

    def _settle(self, client: Client, ask: Ask, down: threading.Event) -> None:
        key = {"idempotency_key": f"ask {ask.number}"} if ask.keyed else {}
        end = time.monotonic() + SECONDS
        while True:
            try:
                self.answered[ask.number] = client.call(ask.call, **ask.arguments, **key)
                return
            except (OSError, HTTPException):
                if not ask.keyed:
                    return
                if down.is_set():
                    self.cut.append(ask)
                    return
                assert time.monotonic() < end, "no server takes requests"
