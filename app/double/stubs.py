"""Canned answers of the calls that promobridge does not have."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Response

import calls
from app.double.memory import Memory
from app.legacy.failures import JSON_TYPE, failure
from app.panel import routing
from calls import TOLERATED, php
from models.store import clock
from models.store.errors import Invalid

METHODS = "getAPIMethods"
MOST_SET = 10_000
"""Stubs that are set at run time."""


@dataclass
class Stub:
    """Hold the answers of a call, which come one after another; the last one stays.

    An answer is a JSON object, or bytes that are sent as they are. `match` are arguments that a
    request must have, by name; `required` are names that it must have.
    """

    call: str
    answers: list[Any]
    match: Mapping[str, Any] = field(default_factory=dict)
    required: Sequence[str] = ()
    exact: bool = False
    """Whether a request may have no other arguments than `match`."""
    given: int = 0


class Stubs:
    """Find the answer of a call that is not ours: what was set, recorded, or sampled.

    Names of calls are compared as a panel does, without regard to case.
    """

    def __init__(self, loaded: Iterable[Stub] = (), strict: bool = False) -> None:
        self.strict = strict
        self.memory = Memory()
        self._loaded = _by_call(loaded)
        self._set: dict[str, list[Stub]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Return the names of all calls that have a stub."""
        kept = [*self._loaded.values(), *self._set.values()]
        return sorted({stub.call for stubs in kept for stub in stubs})

    def put(self, stub: Stub) -> None:
        """Set a stub; it goes before what was there. Raises Invalid for too many."""
        with self._lock:
            if sum(map(len, self._set.values())) >= MOST_SET:
                raise Invalid(f"More than {MOST_SET} stubs are set: delete some")
            self._set.setdefault(stub.call.lower(), []).insert(0, stub)

    def delete(self, call: str | None = None) -> None:
        """Forget the stubs that were set, of a call or all; those of files stay."""
        with self._lock:
            if call is None:
                self._set.clear()
            else:
                self._set.pop(call.lower(), None)

    def reset(self) -> None:
        """Go back to what was loaded, and forget what calls left in the memory."""
        self.delete()
        self.memory = Memory()
        for stubs in self._loaded.values():
            for stub in stubs:
                stub.given = 0

    def answer(self, name: str, arguments: Mapping[str, Any]) -> Response | None:
        """Return the answer of a call, None for one of ours that nothing was set for.

        `arguments` are without credentials and the name.
        """
        if not name:
            return None
        own = {each: plain(value) for each, value in arguments.items() if each not in TOLERATED}
        stub = _found(self._set.get(name.lower(), ()), own)
        if stub is None and routing.plain(name) == METHODS:
            stub = Stub(name, [{"methods": self._methods()}])
        if stub is None:
            if routing.plain(name) in calls.registry():
                return None
            stub = _found(self._loaded.get(name.lower(), ()), own)
        if stub is None:
            required = self.memory.required(name)
            if required is None:
                return failure(name, f"no stub for {name}", status=501 if self.strict else 200)
            stub = Stub(name, [{}], required=required)
        missing = [each for each in stub.required if own.get(each) in (None, "")]
        if missing:
            return failure(name, *(f"Wrong parameter: {each}" for each in missing))
        with self._lock:
            answer = stub.answers[min(stub.given, len(stub.answers) - 1)]
            stub.given += 1
        if isinstance(answer, bytes):
            return Response(answer, content_type=JSON_TYPE)
        said: dict[str, Any] = {"success": True} | dict(answer)
        said = self.memory.told(name, own, said)
        said |= {"call": name, "server_time": clock.now()}
        return Response(php.encode(said), content_type=JSON_TYPE)

    def _methods(self) -> list[str]:
        """Return the names of our calls, then of those that have a stub."""
        ours = calls.registry()
        return [*ours, *(name for name in self.names() if routing.plain(name) not in ours)]


def plain(value: Any) -> Any:
    """Return a value of an argument as PHP gets it: texts, in arrays by their keys."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return {str(at): plain(each) for at, each in enumerate(value)}
    if isinstance(value, bool):
        return "1" if value else ""
    return "" if value is None else str(value)


def _found(stubs: Iterable[Stub], own: Mapping[str, Any]) -> Stub | None:
    return next((stub for stub in stubs if _fits(stub, own)), None)


def _fits(stub: Stub, own: Mapping[str, Any]) -> bool:
    if stub.exact and set(stub.match) != set(own):
        return False
    return all(name in own and plain(each) == own[name] for name, each in stub.match.items())


def _by_call(stubs: Iterable[Stub]) -> dict[str, list[Stub]]:
    found: dict[str, list[Stub]] = {}
    for stub in stubs:
        found.setdefault(stub.call.lower(), []).append(stub)
    for of_call in found.values():
        of_call.sort(key=lambda stub: not stub.exact)  # recordings go before samples
    return found
