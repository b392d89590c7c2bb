"""Faults that tests ask for: answers that are late, wrong, cut off or lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from werkzeug.wrappers import Response

from app.double.asked import RPC, Asked
from app.legacy import failures
from app.rest.envelope import JSON_TYPE, KEYS, NO_STORE
from calls import envelope, php
from models.store.errors import Invalid

KINDS = ("delay", "status", "error", "html", "cut", "drop", "lose_answer")
LONGEST_DELAY = 600
MOST = 1000
"""Faults that wait at once."""


@dataclass
class Fault:
    """Hold one fault. `call` is None for any request; `left` is None for as often as it comes."""

    call: str | None
    kind: str
    value: Any
    left: int | None
    probability: float
    retry_after: int | None = None


class Number(fields.Float):
    """Load a number of JSON, and no text."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> float:
        if not isinstance(value, int | float):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **options)


def _true(value: Any) -> None:
    if value is not True:
        raise ValidationError("Must be true.")


class FaultFields(Schema):
    """Read a fault as JSON."""

    call = fields.String(validate=validate.Length(1, 200))
    times = fields.Integer(strict=True, validate=validate.Range(1, 1_000_000))
    probability = Number(validate=validate.Range(0, 1))
    delay = Number(validate=validate.Range(0, LONGEST_DELAY))
    status = fields.Integer(strict=True, validate=validate.Range(400, 599))
    retry_after = fields.Integer(strict=True, validate=validate.Range(0, 86_400))
    error = fields.String(validate=validate.Length(1, 1000))
    html = fields.String(validate=validate.Length(max=1_000_000))
    cut = fields.Raw(validate=_true)
    drop = fields.Raw(validate=_true)
    lose_answer = fields.Raw(validate=_true)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        """Require one kind of fault, and what belongs to it alone."""
        kinds = [kind for kind in KINDS if kind in data]
        if len(kinds) != 1:
            raise ValidationError(f"One of {', '.join(KINDS)} is needed, not {len(kinds)}")
        if "times" in data and "probability" in data:
            raise ValidationError("times and probability are not given together")
        if "retry_after" in data and kinds != ["status"]:
            raise ValidationError("retry_after goes with status alone")


class Faults:
    """Keep the faults that wait, in the order in which they were asked for.

    `chance` returns a number from 0 to 1.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def put(self, given: dict[str, Any]) -> None:
        """Add a fault that was read by FaultFields. Raises Invalid for too many."""
        kind = next(kind for kind in KINDS if kind in given)
        fault = Fault(
            given.get("call"),
            kind,
            given[kind],
            given.get("times"),
            given.get("probability", 1.0),
            given.get("retry_after"),
        )
        with self._lock:
            if len(self._waiting) >= MOST:
                raise Invalid(f"More than {MOST} faults wait: delete some")
            self._waiting.append(fault)

    def delete(self, call: str | None = None) -> None:
        """Forget the faults of a call, or all."""
        with self._lock:
            self._waiting = [
                each for each in self._waiting if call is not None and not _is_of(each, call)
            ]

    def of(self, asked: Asked) -> Fault | None:
        """Return the first fault that strikes a request, counted as having struck."""
        with self._lock:
            for fault in self._waiting:
                if not asked.is_of(fault.call):
                    continue
                # One that always strikes takes nothing of the chance that codes are made by.
                if fault.probability < 1 and self._chance() >= fault.probability:
                    continue
                if fault.left is not None:
                    fault.left -= 1
                    if not fault.left:
                        self._waiting.remove(fault)
                return fault
        return None


def _is_of(fault: Fault, call: str) -> bool:
    return fault.call is not None and fault.call.lower() == call.lower()


def instead(fault: Fault, asked: Asked) -> Response | None:
    """Return the answer that a fault gives in the place of the real one, None where that is given.

    Nothing is changed then.
    """
    if fault.kind == "html":
        return Response(fault.value, 200, content_type="text/html; charset=UTF-8")
    if fault.kind == "status":
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return _failed(asked, f"HTTP {fault.value}", fault.value, headers)
    if fault.kind == "error":
        return _failed(asked, fault.value, 200 if asked.face == RPC else 400)
    return None


def _failed(
    asked: Asked, sentence: str, status: int, headers: dict[str, str] | None = None
) -> Response:
    if asked.face == RPC:
        body = php.encode(envelope(False, {}, asked.call, error=[sentence]))
        return Response(body, status, headers, content_type=failures.JSON_TYPE)
    key = KEYS.get(status, "refused")
    told = {"message": sentence, "code": status, "status": "error", "error": key}
    headers = {"Cache-Control": NO_STORE} | (headers or {})
    return Response(json.dumps(told), status, headers, content_type=JSON_TYPE)
