"""Answers that were given once and are given again to those who ask again with the same key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from flask import Response, request

from app import metrics
from app.rest.envelope import Failure, failure
from models.promotions.campaign_counts import Owner
from models.store import idempotency
from models.store.base import change
from models.store.errors import Invalid, PromoError
from models.store.idempotency import KeyTaken, Made

HEADER = "Idempotency-Key"
KEY_LENGTH = 255
PASSING = frozenset({"busy"})
"""Refusals that ask to try again: they are never kept."""
KEPT_HEADERS = ("Content-Type", "Content-Disposition", "Link", "Location")


def once(owner: Owner, asked: Any, run: Callable[[], Response]) -> Response:
    """Return the answer kept under the key of this request, else run and keep it.

    What `run` changes and its answer are one transaction. A refusal by the store is kept too: who
    was refused has acted on it. Without a key it is just run. Raises Failure, also for a key that
    came with something else before, and PromoError.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return run()
    if not 1 <= len(key) <= KEY_LENGTH:
        raise Failure.invalid({HEADER: [f"Is 1 to {KEY_LENGTH} characters."]})

    def make() -> Made:
        try:
            with change():  # a refusal undoes this part and keeps its answer
                return Made(_packed(run()))
        except PromoError as problem:
            if problem.key in PASSING or isinstance(problem, Invalid):
                raise
            return Made(_packed(failure(Failure.of(problem))), problem.key)

    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    partner = hashlib.sha256(owner.partner.encode()).hexdigest()
    try:
        made = idempotency.once(f"rest {owner.environment} {partner}", key, digest, make)
    except KeyTaken:
        raise Failure(
            422, f"{HEADER} was used with other parameters", "idempotency_key_reused"
        ) from None
    if made.again:
        metrics.replayed("rest")
    return _unpacked(made.body)


def _packed(answer: Response) -> bytes:
    """Return an answer as a line about it and its body."""
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    return json.dumps([answer.status_code, headers]).encode() + b"\n" + answer.get_data()


def _unpacked(kept: bytes) -> Response:
    line, body = kept.split(b"\n", 1)
    status, headers = json.loads(line)
    return Response(body, status=status, headers=headers)
