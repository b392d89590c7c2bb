"""Answers to calls that change something, given again to those who ask again with the same key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import calls
from app import metrics
from calls import Answer, Call, Caller, WrongParameters
from models.store import idempotency
from models.store.base import change
from models.store.errors import PromoError
from models.store.idempotency import KeyTaken, Made

KEY = "idempotency_key"
KEY_LENGTH = 255
PASSING = frozenset({"busy"})
"""Refusals that ask to try again: they are never kept."""


def is_asked(found: Call, arguments: Mapping[str | int, Any]) -> bool:
    """Tell whether this request wants its answer kept."""
    return found.writes and KEY in arguments


def once(
    found: Call,
    arguments: Mapping[str | int, Any],
    caller: Caller,
    written: Callable[[Answer | PromoError], Iterable[bytes]],
) -> Made:
    """Return the body kept under the key and access of this request, else run the call and keep it.

    The call's changes and its reply are one transaction. A refusal by the store is kept too: who
    was refused has acted on it, and a copy of the request that arrives late must not succeed.
    Wrong arguments are not, so that they can be put right. Raises WrongParameters, also for a key
    that came with other arguments before, and PromoError for a refusal that will pass.
    """
    values = _loaded(found, arguments, caller)

    def make() -> Made:
        try:
            with change():  # a refusal undoes this part and keeps its reply
                return Made(b"".join(written(found.handle(caller, **values))))
        except PromoError as problem:
            if problem.key in PASSING:
                raise
            return Made(b"".join(written(problem)), problem.key)

    try:
        made = idempotency.once(
            # Neither has a blank in it, so two scopes cannot read alike.
            f"{found.name} {caller.api_id}",
            arguments[KEY],
            _digest(found, arguments),
            make,
        )
    except KeyTaken:
        raise WrongParameters(
            f"Wrong parameter: {KEY} (was used with other arguments before)"
        ) from None
    if made.again:
        metrics.replayed("legacy")
    return made


def _loaded(found: Call, arguments: Mapping[str | int, Any], caller: Caller) -> dict[str, Any]:
    """Return the typed arguments of the call, the key having been looked at as well."""
    key = arguments[KEY]
    fits = isinstance(key, str) and 1 <= len(key) <= KEY_LENGTH and key.isprintable()
    wrong_key = [f"Wrong parameter: {KEY} (must be 1 to {KEY_LENGTH} printable characters)"]
    try:
        values = calls.load(found, arguments, caller)
    except WrongParameters as wrong:
        raise WrongParameters(*wrong.problems, *([] if fits else wrong_key)) from None
    if not fits:
        raise WrongParameters(*wrong_key)
    return values


def _digest(found: Call, arguments: Mapping[str | int, Any]) -> str:
    """Return a digest of the arguments that the call knows, whatever their order."""
    fields = found.params._declared_fields
    known = {field.data_key or name for name, field in fields.items()}
    asked = {name: value for name, value in arguments.items() if name in known}
    return hashlib.sha256(json.dumps(_texts(asked), sort_keys=True).encode()).hexdigest()


def _texts(value: Any) -> Any:
    """Return arguments with all names as texts, so that they can be sorted."""
    if isinstance(value, dict):
        return {str(name): _texts(member) for name, member in value.items()}
    return value
