"""Authenticate legacy requests by API ID, key and address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.limits import Limits
from models.access import accesses
from models.access.accesses import Access

WRONG_PAIR = "Wrong API ID or API Key"
WRONG_ADDRESS = "This IP address is not allowed to use this API ID"
NOT_ENABLED = "Called method is not allowed for this API ID"
NOT_SUPPORTED = "Called method is not supported"


class Denied(Exception):
    """Say why access is denied; the text is part of the contract."""


def authenticate(arguments: Mapping[str | int, Any], address: str, limits: Limits) -> Access:
    """Return the access that `api_id` and `api_key` open from this address.

    Raises Denied, and TooMany for a caller over its limits.
    """
    limits.count_request(address)
    api_id, api_key = (_text(arguments.get(name)) for name in ("api_id", "api_key"))
    access = accesses.authenticated(api_id, api_key)
    if access is None:
        if api_id and api_key:  # who sends nothing guesses nothing
            limits.wrong_credentials(address, api_id)
        raise Denied(WRONG_PAIR)
    # Only now: a wrong pair must take as long, whether its id is locked out or not.
    limits.right_credentials(address, api_id, f"access:{access.id}")
    if not access.admits(address):
        raise Denied(WRONG_ADDRESS)
    return access


def _text(value: Any) -> str:
    """Return an argument as text that a database takes, "" for what is no text."""
    if not isinstance(value, str) or "\0" in value:
        return ""
    return value.encode(errors="replace").decode()
