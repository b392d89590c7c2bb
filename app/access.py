"""Authenticate legacy requests by API ID, key and address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.limits import Limits
from models.access import accesses
from models.access.accesses import PAIR_LENGTH, Access, Pair

WRONG_PAIR = "Wrong API ID or API Key"
WRONG_ADDRESS = "This IP address is not allowed to use this API ID"
NOT_ENABLED = "Called method is not allowed for this API ID"
NOT_SUPPORTED = "Called method is not supported"


class Denied(Exception):
    """Say why access is denied; the text is part of the contract."""


def proven(
    arguments: Mapping[str | int, Any],
    address: str,
    limits: Limits,
    learn: Callable[[Pair], Access | None] | None = None,
) -> Access:
    """Return the access whose pair `api_id` and `api_key` are; `learn` may find one elsewhere.

    Raises Denied, and TooMany for an address over its limits.
    """
    api_id, api_key = (_text(arguments.get(name)) for name in ("api_id", "api_key"))
    limits.count_request(address)
    access = accesses.authenticated(api_id, api_key)
    if access is None and learn is not None and api_id and api_key:
        access = learn(Pair(api_id, api_key))
    if access is None:
        if api_id and api_key:  # who sends nothing guesses nothing
            limits.wrong_credentials(address, api_id)
        raise Denied(WRONG_PAIR)
    return access


def admit(access: Access, address: str, limits: Limits) -> None:
    """Let a proven access in from this address. Raises Denied, and TooMany over its limits."""
    # Only now: a wrong pair must take as long, whether its id is locked out or not.
    limits.right_credentials(address, str(access.api_id), f"access:{access.id}")
    if not access.admits(address):
        raise Denied(WRONG_ADDRESS)


def _text(value: Any) -> str:
    """Return an argument as text that a database takes, "" for what is no text.

    Raises Denied for one that is longer than any id or key.
    """
    if not isinstance(value, str):
        return ""
    if len(value) > PAIR_LENGTH:
        raise Denied(WRONG_PAIR)
    if "\0" in value:
        return ""
    return value.encode(errors="replace").decode()
