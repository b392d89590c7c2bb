"""Clients of two hosts who redeem without a pause, and the account of what became of it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count, pairwise
from typing import Any
from urllib.parse import urlencode

from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import REFUSALS
from tests.concurrency.clients import batch_of
from tests.credentials import CREDENTIALS

KEYED, INVOICE, UNKEYED, SINGLE, CLIENT = "keyed", "invoice", "unkeyed", "single use", "one client"
SEATS = (KEYED, INVOICE, UNKEYED, SINGLE, CLIENT) * 2 + (KEYED, INVOICE)
"""What each client does; those who share codes, invoices or clients ask different hosts."""
REPEATED = {KEYED, INVOICE}
"""What may be asked again until it is answered: it is not counted twice."""
ENDED = {REFUSALS["code_used_up"], REFUSALS["client_used_up"]}
"""The refusals that belong to the game."""
ANSWER_SECONDS = 90
AGAIN_SECONDS = 0.1
"""How long a client waits before it asks again: it is told to try later."""
Use = int | tuple[int, str]
"""The order, or the invoice and its code."""


@dataclass(frozen=True)
class Ask:
    """Hold one use that is asked for."""

    number: int
    kind: str
    call: str
    arguments: dict[str, Any]


@dataclass
class Codes:
    """Hold the codes that the clients use; all of a kind are in one batch, which is contended."""

    free: list[str]
    invoice: list[str]
    single: list[str]
    client: str

    @classmethod
    def made(cls, singles: int) -> Codes:
        """Make them, so many of them for one use."""
        return cls(
            free=batch_of(20)[1],
            invoice=batch_of(5, coupon_type="invoice")[1],
            single=batch_of(singles, max_usage=1)[1],
            client=batch_of(1, max_client_usage=1)[1][0],
        )

    @property
    def all(self) -> list[str]:
        """Return every code."""
        return [*self.free, *self.invoice, *self.single, self.client]


@dataclass
class Account:
    """Say what became of the uses that were asked for; the times are seconds.

    `found` counts answers of uses that another answer was about as well, `unknown` those that were
    asked for once and got none.
    """

    asked: int = 0
    answered: int = 0
    found: int = 0
    refused: int = 0
    unknown: int = 0
    recorded: int = 0
    lost: int = 0
    doubled: int = 0
    said_busy: int = 0
    said_away: int = 0
    cut_off: int = 0
    odd: list[str] = field(default_factory=list)
    seconds: float = 0.0
    longest_pause: float = 0.0
    longest_wait: float = 0.0

    @property
    def a_second(self) -> float:
        """Return how many uses were answered a second."""
        return self.answered / self.seconds if self.seconds else 0.0


class Traffic:
    """Remember every use that was asked for, and how it was answered."""

    def __init__(self, addresses: Sequence[tuple[str, int]], codes: Codes) -> None:
        self.addresses = addresses
        self.codes = codes
        self.asked: dict[int, Ask] = {}
        self.answered: set[int] = set()
        self.refused: set[int] = set()
        self.said: Counter[str] = Counter()
        self.odd: list[str] = []
        self.moments: list[float] = []
        self.longest_wait = 0.0
        self._numbers = count(1)
        self._shared = {seat: count(1) for seat in range(len(SEATS))}

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Let all clients ask until the block ends, and each get its last answer."""
        over = threading.Event()
        self.moments.append(time.monotonic())
        with ThreadPoolExecutor(len(SEATS)) as threads:
            clients = [threads.submit(self._client, seat, over) for seat in range(len(SEATS))]
            try:
                yield
            finally:
                over.set()
        self.moments.append(time.monotonic())
        for each in clients:
            each.result()

    def account(self) -> Account:
        """Compare what was answered with what the bound store has."""
        columns = (
            Redemption.order_id,
            Redemption.invoice_id,
            Redemption.code,
            Redemption.client_id,
        )
        ours, single = set(self.codes.all), set(self.codes.single)
        rows = [row for row in Redemption.select(*columns).tuples() if row[2] in ours]
        uses = Counter(order or (invoice, code) for order, invoice, code, _ in rows)
        singles = Counter(code for *_, code, _ in rows if code in single)
        clients = Counter(client for *_, code, client in rows if code == self.codes.client)
        times = sorted(self.moments)
        return Account(
            asked=len(self.asked),
            answered=len(self.answered),
            found=len(self.answered) - len({self._use(self.asked[n]) for n in self.answered}),
            refused=len(self.refused),
            unknown=len(self.asked.keys() - self.answered - self.refused),
            recorded=len(rows),
            lost=len({self._use(self.asked[n]) for n in self.answered} - uses.keys()),
            doubled=sum(n - 1 for each in (uses, singles, clients) for n in each.values()),
            said_busy=self.said["busy"],
            said_away=self.said["away"],
            cut_off=self.said["cut off"],
            odd=sorted(set(self.odd)),
            seconds=times[-1] - times[0],
            longest_pause=max(after - before for before, after in pairwise(times)),
            longest_wait=self.longest_wait,
        )

    def _use(self, ask: Ask) -> Use:
        """Return what a row of the use says of whose it is."""
        if ask.kind == INVOICE:
            return ask.arguments["id"], ask.arguments["applycoupon"]
        return ask.number

    def _client(self, seat: int, over: threading.Event) -> None:
        at = seat
        connections = [HTTPConnection(*each, timeout=ANSWER_SECONDS) for each in self.addresses]
        while not over.is_set():
            ask = self._next(seat)
            began = time.monotonic()
            while not self._settled(ask, connections[at % len(connections)]):
                at += 1
                if ask.kind not in REPEATED:
                    break
                time.sleep(AGAIN_SECONDS)
            self.longest_wait = max(self.longest_wait, time.monotonic() - began)
        for each in connections:
            each.close()

    def _next(self, seat: int) -> Ask:
        number = next(self._numbers)
        kind = SEATS[seat]
        shared = next(self._shared[seat])
        use: dict[str, Any] = {"order_id": number}
        call = "redeemPromoCode"
        if kind == KEYED:
            use |= {"code": self._free(number), "idempotency_key": f"ask {number}"}
        elif kind == UNKEYED:
            use |= {"code": self._free(number)}
        elif kind == SINGLE:
            use |= {"code": self.codes.single[shared % len(self.codes.single)]}
        elif kind == CLIENT:
            use |= {"code": self.codes.client, "client_id": shared}
        else:
            call = "applyInvoiceCoupon"
            codes = self.codes.invoice
            use = {"id": shared, "applycoupon": codes[shared % len(codes)]}
        self.asked[number] = ask = Ask(number, kind, call, use)
        return ask

    def _free(self, number: int) -> str:
        return self.codes.free[number % len(self.codes.free)]

    def _settled(self, ask: Ask, connection: HTTPConnection) -> bool:
        """Ask once; tell whether there was an answer that means something."""
        body = urlencode(CREDENTIALS | {"call": ask.call} | ask.arguments)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request("POST", "/admin/api.php", body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException):
            connection.close()
            self.said["cut off"] += 1
            return False
        envelope = json.loads(said)
        error = "" if envelope["success"] else envelope["error"][0]
        if not error:
            self.answered.add(ask.number)
            self.moments.append(time.monotonic())
        elif error in ENDED:
            self.refused.add(ask.number)
        elif answer.status == 503:
            self.said["away"] += 1
            return False
        else:
            self.said["busy" if "try again" in error else "odd"] += 1
            self.odd.append(error)
            return False
        return True
