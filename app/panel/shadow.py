"""Compare answers of the panel with ours, afterwards and beside the requests."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import calls
from app import logs
from app.panel import comparison, sent_whole
from calls import Call, Caller, WrongParameters, envelope, php
from models.panel import differences
from models.panel.differences import Compared, Found
from models.promotions import expiry
from models.store.base import database
from models.store.errors import PromoError

if TYPE_CHECKING:
    from flask import Response

MOST_WAITING = 100
"""Answers that may wait to be compared; what is over is counted as dropped."""
MOST_BYTES = 8_388_608
"""The largest answer that is compared, and the bytes that may wait together."""
TOGETHER = 20
"""Comparisons that are stored in one transaction."""
HIDDEN = "…"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """Hold a call that the panel answers, and how it is answered here."""

    call: Call
    arguments: Mapping[str | int, Any]
    caller: Caller


@dataclass(frozen=True)
class _Job:
    asked: Asked
    theirs: bytes | None
    """What the panel answered; None where it cannot be compared."""


class Shadow:
    """Make our own answers in a thread, one after the other, and note where they differ."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0

    def watch(self, response: Response, asked: Asked) -> None:
        """Compare the panel's answer in a response when all of it has been sent.

        What is packed, too large or broken off is not, and counts as dropped.
        """
        is_plain = "Content-Encoding" not in response.headers
        sent_whole.watch(
            response, MOST_BYTES, lambda body: self.put(asked, body if is_plain else None)
        )

    def put(self, asked: Asked, theirs: bytes | None) -> None:
        """Compare an answer of the panel later; never wait."""
        with self._lock:
            if self._pid != os.getpid():  # a thread does not live on in a forked process
                self._start()
            size = len(theirs or b"")
            if len(self._jobs) >= MOST_WAITING or self._bytes + size > MOST_BYTES:
                self._dropped[asked.call.name] = self._dropped.get(asked.call.name, 0) + 1
            else:
                self._jobs.append(_Job(asked, theirs))
                self._bytes += size
        self._wake.release()

    def _start(self) -> None:
        self._jobs: deque[_Job] = deque()
        self._bytes = 0
        self._dropped: dict[str, int] = {}
        self._wake = threading.Semaphore(0)
        threading.Thread(target=self._run, name="shadow", daemon=True).start()
        self._pid = os.getpid()

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            try:
                with database.connection_context():
                    self._compare_waiting()
            except Exception as problem:  # noqa: BLE001  # the next ones may succeed
                log.error("Answers could not be compared: %s", logs.place(problem))

    def _compare_waiting(self) -> None:
        results: list[Compared] = []
        with self._lock:
            for name, count in self._dropped.items():
                results += [Compared(name, None)] * count
            self._dropped = {}
        ignored = differences.ignored()
        for _ in range(TOGETHER):
            with self._lock:
                if not self._jobs:
                    break
                job = self._jobs.popleft()
                self._bytes -= len(job.theirs or b"")
            results.append(Compared(job.asked.call.name, _found(job, ignored)))
        if results:
            differences.note(results)


def ours(asked: Asked) -> dict[str, Any]:
    """Return what this store answers to a call, as JSON holds it."""
    # Nothing that a comparison asks for counts against the caller, and no tag spares an answer.
    caller = replace(asked.caller, lookup_guard=nullcontext, holds=lambda tag: False)
    name = asked.call.name
    try:
        expiry.expire_due(caller.today)
        answer = calls.run(asked.call, asked.arguments, caller)
        info = list(answer.info) or None
        made = envelope(True, answer.payload, name, sorter=answer.sorter, info=info)
    except PromoError as refusal:
        made = envelope(False, {}, name, error=[refusal.sentence])
    except WrongParameters as wrong:
        made = envelope(False, {}, name, error=wrong.problems)
    value: dict[str, Any] = json.loads(b"".join(php.parts(made)))
    return value


def hidden(text: str, arguments: Mapping[str | int, Any]) -> str:
    """Return a text without the caller's credentials, should the panel have repeated them."""
    for name in ("api_key", "api_id"):
        secret = arguments.get(name)
        if isinstance(secret, str) and secret:
            text = text.replace(secret, HIDDEN)
    return text


def _found(job: _Job, ignored: Collection[str]) -> list[Found] | None:
    """Return where two answers differ, None where they cannot be compared."""
    if job.theirs is None:
        return None
    try:
        theirs = json.loads(job.theirs)
    except (ValueError, RecursionError):
        return None
    mine = ours(job.asked)
    if isinstance(theirs, dict) and "call" in theirs:
        mine["call"] = theirs["call"]  # it is repeated as it was spelled
    return [
        Found(
            each.path,
            hidden(each.theirs, job.asked.arguments),
            hidden(each.ours, job.asked.arguments),
        )
        for each in comparison.differences(theirs, mine, ignored)
    ]
